"""Every sentence of the bot's own that staff may reword in faq.yaml, with the placeholders each may use."""

# key -> placeholders the text may use. {clinic}, {phone} and {emergency} may stand in any of them.
MESSAGES: dict[str, tuple[str, ...]] = {
    # first contact
    "greeting": (), "help": (), "choose_language": (), "language_set": (),
    # consent
    "consent_ask": ("platform",), "consent_ask_here": (), "consent_thanks": (), "consent_declined": (), "consent_needed": (),
    # procedure date
    "ask_date": (), "date_saved": ("date", "day"), "date_saved_future": ("date",), "date_not_understood": (),
    "date_impossible": ("text",), "date_too_old": ("date",), "date_too_far": ("date",), "date_ambiguous": (),
    "date_which": ("date",), "procedure_item": ("name", "date"), "reminders_item_of": ("name", "item"),
    # reminders
    "reminders_none": (), "reminders_header": (), "reminders_item": ("date", "time", "headline"),
    "reminders_paused": (), "reminders_resumed": (), "reminders_stopped": (), "reminders_detail_on": (),
    "reminders_detail_off": (), "reminder_neutral": ("day",), "reminder_neutral_start": (),
    "reminder_footer": (), "reminder_catch_up": ("day",),
    # check-ins: what is said to an answer
    "check_in_good": (), "check_in_usual": (), "check_in_call": (), "check_in_worried": (), "check_in_changed": (),
    # personal data
    "my_data": (), "my_data_none": (), "my_data_line_language": ("language",), "my_data_line_date": ("date",),
    "my_data_line_reminders": ("sent", "pending"), "my_data_line_check_ins": ("answers",),
    "my_data_line_consent": ("date",), "delete_confirm": (), "delete_ends_talk": (), "delete_done": (), "delete_cancelled": (),
    "privacy": ("platform",), "privacy_here": (),
    # a person
    "person_open": ("hours",), "person_on_call": ("until",), "person_closed": ("next_open",), "person_unreachable": (),
    # not sure, not known
    "choices": (), "choices_none": (), "unknown": (), "urgent_signs": (),
    # small talk
    "hello": (), "thanks": (), "bye": (), "how_are_you": (), "who_are_you": (), "ok": (), "compliment": (),
    "complaint": (), "laugh": (), "good_news": (), "worry": (), "follow_up": ("answer",), "follow_up_none": (),
    # around an answer
    "source_line": ("sources", "date"), "source_unreviewed": ("sources",), "related": (), "also_asked": (),
    "in_general": (), "day_known": ("day",), "numbers": (),
    # what cannot be read
    "unsupported_photo": (), "unsupported_voice": (), "unsupported_sticker": (), "unsupported_other": (),
    "too_long": (), "empty": (), "rate_limited": (), "error": (), "group_refused": (), "edited": (),
    # alerts and people taking over
    "alert_sent": (), "alert_not_sent": (), "unsaid": (), "alert_read": ("name", "time"), "alert_unanswered": ("minutes",),
    "alert_closed": (), "relay_start": (), "relay_end": (),
    # appointments, links
    "appointment_ask": (), "appointment_received": (), "appointment_confirmed": ("when",),
    "appointment_moved": ("when",), "appointment_declined": (), "link_ok": ("date",), "link_expired": (),
    "link_used": (), "link_invalid": (), "pair_code": ("code", "minutes"), "pair_done": (), "pair_invalid": (),
    "helpful_ask": (), "helpful_thanks": (), "helpful_sorry": (),
    # buttons
    "btn_person": (), "btn_date": (), "btn_recovery": (), "btn_reminders": (), "btn_pause": (), "btn_resume": (), "btn_stop": (),
    "btn_privacy": (), "btn_data": (), "btn_pair": (), "btn_delete": (), "btn_language": (), "btn_yes": (), "btn_no": (),
    "btn_agree": (), "btn_decline": (), "btn_none": (), "btn_source": (), "btn_helpful": (),
    "btn_not_helpful": (), "btn_cancel": (), "btn_help": (), "btn_today": (), "btn_yesterday": (), "btn_book": (),
    # the clinic's own chat page
    "page_online": (), "page_offline": (), "page_type": (), "page_send": (), "page_talk": (), "page_photo": (),
    "page_photo_mine": (), "page_photo_clinic": (), "page_photo_gone": (), "page_photo_odd": (), "page_photo_failed": (),
    # answers to a check-in
    "btn_pain_none": (), "btn_pain_mild": (), "btn_pain_moderate": (), "btn_pain_severe": (),
    "btn_swelling_better": (), "btn_swelling_same": (), "btn_swelling_worse": (), "btn_swelling_much_worse": (),
    "btn_fine_well": (), "btn_fine_worried": (),
    # Telegram's command descriptions
    "cmd_start": (), "cmd_help": (), "cmd_date": (), "cmd_recovery": (), "cmd_reminders": (), "cmd_person": (), "cmd_privacy": (),
    "cmd_data": (), "cmd_pair": (), "cmd_language": (), "cmd_pause": (), "cmd_resume": (), "cmd_stop": (), "cmd_delete": (),
}  # fmt: skip

EVERYWHERE = ("clinic", "phone", "emergency", "hours", "address", "price", "crisis")
