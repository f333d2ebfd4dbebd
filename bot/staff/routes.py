"""Every page of the staff's side, and who may open it. A test walks this table with every wrong key."""

from bot.staff import care_pages as care
from bot.staff import enrol_pages as enrol
from bot.staff import faq_pages as faq
from bot.staff import new_pages as new
from bot.staff import office_pages as office
from bot.staff import patient_pages as people
from bot.staff import procedure_pages as procedures
from bot.staff import unanswered_pages as open_questions
from bot.staff.site import ADMIN, ANYONE, CARE, EDITORS, Route

ROUTES: tuple[Route, ...] = (
    Route("GET", "/staff/login", office.login, None),
    Route("POST", "/staff/login", office.log_in, None),
    Route("POST", "/staff/logout", office.log_out, ANYONE),
    # alerts and conversations
    Route("GET", "/staff", care.inbox, ANYONE),
    Route("GET", "/staff/", care.inbox, ANYONE),  # sends editors on to the FAQ
    Route("GET", "/staff/pulse", care.pulse, CARE),
    Route("GET", "/staff/threads/{number}", care.thread, CARE),
    Route("POST", "/staff/threads/{number}/reply", care.reply, CARE, files=True),
    Route("GET", "/staff/pictures/{number}", care.picture, CARE),
    Route("POST", "/staff/threads/{number}/take", care.take, CARE),
    Route("POST", "/staff/threads/{number}/back", care.back, CARE),
    Route("POST", "/staff/threads/{number}/learn", care.learn, CARE),
    Route("POST", "/staff/alerts/{number}/read", care.read, CARE),
    Route("POST", "/staff/alerts/{number}/close", care.close, CARE),
    Route("GET", "/staff/visits", care.visits, CARE),
    Route("POST", "/staff/visits/{number}", care.decide, CARE),
    # the FAQ
    Route("GET", "/staff/try", faq.try_page, ANYONE),
    Route("POST", "/staff/try", faq.try_question, ANYONE),
    Route("GET", "/staff/faq", faq.browse, ANYONE),
    Route("GET", "/staff/faq/{entry}", faq.entry_page, ANYONE),
    Route("POST", "/staff/faq/{entry}/check", faq.check, EDITORS),
    Route("POST", "/staff/faq/{entry}", faq.save, EDITORS),
    Route("GET", "/staff/new", new.form, EDITORS),
    Route("POST", "/staff/new", new.add, EDITORS),
    Route("POST", "/staff/new/start", new.start, EDITORS),
    Route("POST", "/staff/new/check", new.check, EDITORS),
    Route("GET", "/staff/unanswered", open_questions.listing, ANYONE),
    Route("POST", "/staff/unanswered/preview", open_questions.preview, EDITORS),
    Route("POST", "/staff/unanswered/add", open_questions.add, EDITORS),
    Route("POST", "/staff/unanswered/dismiss", open_questions.dismiss, EDITORS),
    # patients and reminders
    Route("GET", "/staff/patients", people.patients, CARE),
    Route("GET", "/staff/patients/{number}", people.patient, CARE),
    Route("GET", "/staff/enrol", enrol.form, CARE),
    Route("POST", "/staff/enrol", enrol.make, CARE),
    Route("POST", "/staff/patients/{number}/procedures", procedures.set_date, CARE),
    Route("POST", "/staff/patients/{number}/procedures/off", procedures.call_off, CARE),
    Route("GET", "/staff/journey", people.journey_page, ANYONE),
    Route("GET", "/staff/deliveries", people.deliveries, CARE),
    Route("POST", "/staff/deliveries/held", people.settle_held, CARE),
    # the office
    Route("GET", "/staff/figures", office.figures, ANYONE),
    Route("GET", "/staff/audit", office.audit, ADMIN),
)
