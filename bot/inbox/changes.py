"""One effect of a decision -> what is kept. Without consent it changes the conversation's memory only."""

import datetime as dt
from dataclasses import replace

from bot.core.effects import (
    Effect,
    Enrol,
    EraseAll,
    GiveConsent,
    JoinChats,
    KeepCheckIn,
    OfferCode,
    RecordUnanswered,
    SetDetail,
    SetLanguage,
    SetProcedureDate,
    SetReminders,
    Unreachable,
)
from bot.core.procedures import with_date
from bot.core.reminders import plan
from bot.core.values import Address, Patient
from bot.store.store import Store
from intents.faq import Faq


class Outdated(Exception):
    """What was decided on holds no more (a link or a code that somebody used meanwhile): look and decide again."""


_OF_ANYBODY = (GiveConsent, SetLanguage, Enrol, EraseAll, Unreachable)
_OF_PATIENTS = (SetProcedureDate, SetReminders, SetDetail, OfferCode, RecordUnanswered, KeepCheckIn)


def keeps(effect: Effect, patient: Patient) -> bool:
    """Whether `effect` is for `change`: without consent, little is."""
    return isinstance(effect, _OF_ANYBODY) or (patient.id is not None and isinstance(effect, _OF_PATIENTS))


def change(store: Store, effect: Effect, patient: Patient, faq: Faq, now: dt.datetime) -> Patient:
    """Carry out `effect`; the patient as they are afterwards. Raises StoreError and Outdated; nothing is half done then.

    If we die after this, the event is handled again: every effect here may happen twice without harm.
    """
    match effect:
        case GiveConsent():
            return store.give_consent(patient.address, now, patient.language or "en", patient.traditional)
        case SetLanguage(language, traditional):
            if patient.id:
                store.set_language(patient.id, language, traditional)
            return replace(patient, language=language, traditional=traditional)
        case Enrol():
            planned = plan(faq.steps_of(effect.kind), effect.date, effect.timezone or faq.clinic.timezone)
            enrolled = store.enrol(patient.address, effect, planned, now)
            if enrolled is None:
                raise Outdated
            return enrolled
        case EraseAll():
            if patient.id:
                store.erase(patient.id)
            else:  # an alert or a visit request may be kept without consent
                store.erase_visitor(patient.address)
            return Patient(patient.address, language=patient.language, traditional=patient.traditional)
        case Unreachable():
            store.mark_unreachable(patient.address, "left")
        case _ if patient.id:
            return _of_patient(store, effect, patient, patient.id, faq, now)
    return patient


def _of_patient(
    store: Store, effect: Effect, patient: Patient, patient_id: int, faq: Faq, now: dt.datetime
) -> Patient:
    match effect:
        case SetProcedureDate(date, kind):
            planned = plan(faq.steps_of(kind), date, patient.timezone or faq.clinic.timezone)
            store.set_procedure_date(patient_id, date, planned, now, kind)
            return with_date(patient, kind, date)
        case SetReminders(state):
            store.set_reminders(patient_id, state, now)
            return replace(patient, reminders=state)
        case SetDetail(detail):
            store.set_detail(patient_id, detail)
            return replace(patient, detail=detail)
        case OfferCode(code):
            if not store.offer_code(patient_id, patient.address, code, now):
                raise Outdated
        case KeepCheckIn(step_id, date, answer):
            if not store.keep_check_in(patient_id, step_id, date, answer, now):
                raise Outdated
        case RecordUnanswered(text, matches):
            store.record_unanswered(text, patient.language or "en", matches, patient_id, now)
    return patient


def join(store: Store, effect: JoinChats, address: Address, now: dt.datetime) -> tuple[Patient, Address]:
    """This chat becomes one of the patient who was shown the code: (the patient, the chat where it was shown)."""
    joined = store.join(effect.code, address, now)
    if joined is None:
        raise Outdated
    return joined
