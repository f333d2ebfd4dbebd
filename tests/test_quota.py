"""LINE's monthly quota nearly used, from the webhook to the platform over HTTP: what can wait waits or rides for free, what is
urgent goes out of the reserve.
"""

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.channels.line import LineChannel
from bot.core.values import Address, Message
from intents.faq import Faq
from tests.channel_fakes import Kept, LinePerson, line_channel, mounted
from tests.databases import ready_store
from tests.peers.line_api import LinePlatform
from tests.test_ride import ANNA, DUE, RideScene

LIMIT = 200
NEARLY, ALL = 181, 200  # used; the last tenth is the reserve


class Month:
    """A clinic on LINE's small plan, late in the month, whose patient has a reminder due."""

    def __init__(self, scene: RideScene, platform: LinePlatform, person: LinePerson) -> None:
        self.scene, self.platform, self.person = scene, platform, person

    async def says(self, text: str, ago: dt.timedelta = dt.timedelta()) -> None:
        """`ago`: how long LINE took to deliver it; after a minute its reply token is worth nothing."""
        event = self.platform.event(text=text)
        if ago:
            event["timestamp"] -= int(ago.total_seconds() * 1000)
            self.platform.tokens.clear()
        assert await self.person.deliver(event) == 200
        await self.scene.inbox.drain()

    def ways(self) -> list[str]:
        """How each message came: for nothing, or out of the quota."""
        return [call["how"] for call in self.platform.accepted]

    def said(self, text: str) -> bool:
        return any(text in shown for shown in self.platform.texts())


@asynccontextmanager
async def month(tmp_path: Path, faq: Faq, used: int) -> AsyncIterator[Month]:
    store = ready_store(tmp_path / "s.db")
    async with LinePlatform(now=DUE.timestamp) as platform:
        platform.quota, platform.used = LIMIT, used
        channel: LineChannel = line_channel(platform.url, clock=lambda: DUE)
        scene = RideScene(store, faq, channel)
        async with mounted(channel) as base:
            await channel.start(scene.inbox.receive)
            yield Month(scene, platform, LinePerson(platform, channel, Kept(), base))
            await channel.stop()
        assert platform.violations == []
    store.close()


async def test_with_enough_left_a_reminder_is_pushed(tmp_path: Path, faq: Faq) -> None:
    async with month(tmp_path, faq, used=NEARLY - 2) as clinic:
        await clinic.scene.outbox.tick()

        assert clinic.ways() == ["push"]


async def test_near_the_end_a_routine_reminder_waits_and_goes_with_the_free_reply(
    tmp_path: Path, faq: Faq
) -> None:
    headline = faq.say(faq.steps["day_1"].headline, "en")
    async with month(tmp_path, faq, used=NEARLY) as clinic:
        await clinic.scene.outbox.tick()
        before = (clinic.ways(), clinic.scene.states()["day_1"])

        await clinic.says("swollen")
        await clinic.scene.outbox.tick()

        assert before == ([], "held")
        assert clinic.ways() == ["reply"]
        assert clinic.said(headline)
        assert clinic.scene.states()["day_1"] == "sent"


async def test_near_the_end_an_urgent_reminder_goes_out_of_the_reserve(tmp_path: Path, faq: Faq) -> None:
    steps = [step.model_copy(update={"urgent": True}) for step in faq.file.reminders.steps]
    plan = faq.file.reminders.model_copy(update={"steps": steps})
    urgent = Faq(faq.file.model_copy(update={"reminders": plan}), "u", faq.places)
    async with month(tmp_path, urgent, used=NEARLY) as clinic:
        await clinic.scene.outbox.tick()

        assert clinic.ways() == ["push"]


async def test_near_the_end_danger_whose_reply_token_is_old_goes_out_of_the_reserve(
    tmp_path: Path, faq: Faq
) -> None:
    async with month(tmp_path, faq, used=NEARLY) as clinic:
        await clinic.scene.outbox.tick()

        await clinic.says("I cannot breathe", ago=dt.timedelta(minutes=5))

        assert set(clinic.ways()) == {"push"}
        assert clinic.said("119")
        assert clinic.scene.states()["day_1"] == "held"


async def test_a_person_of_the_clinic_writes_out_of_the_reserve(tmp_path: Path, faq: Faq) -> None:
    async with month(tmp_path, faq, used=NEARLY) as clinic:
        await clinic.scene.free.send(ANNA, Message("Please come by today."))

        assert clinic.ways() == ["push"]


async def test_with_nothing_left_danger_is_still_answered_by_the_free_reply(tmp_path: Path, faq: Faq) -> None:
    async with month(tmp_path, faq, used=ALL) as clinic:
        await clinic.says("I cannot breathe")

        assert clinic.ways()[0] == "reply"
        assert clinic.said("119")
        assert [alert.kind for _, alert in clinic.scene.staff.alerts] == ["danger"]


async def test_with_nothing_left_staff_hear_of_danger_that_could_not_be_answered(
    tmp_path: Path, faq: Faq
) -> None:
    async with month(tmp_path, faq, used=ALL) as clinic:
        await clinic.says("I cannot breathe", ago=dt.timedelta(minutes=5))

        assert clinic.ways() == []
        assert [alert.kind for _, alert in clinic.scene.staff.alerts] == ["danger"]


LATE = dt.timedelta(minutes=5)  # LINE took so long to deliver: the reply token is worth nothing


async def test_with_nothing_left_the_line_that_staff_were_called_comes_with_the_next_reply(
    tmp_path: Path, faq: Faq
) -> None:
    called = faq.message("alert_sent", "en")
    async with month(tmp_path, faq, used=ALL) as clinic:
        await clinic.says("I cannot breathe")
        before, not_told = clinic.said(called), list(clinic.scene.staff.not_told)
        await clinic.says("swollen")

        assert (before, not_told) == (False, [True])
        assert clinic.ways() == ["reply", "reply"]
        assert clinic.said(f"{faq.message('unsaid', 'en')}\n\n{called}")
        assert clinic.scene.staff.kept == {}


async def test_with_nothing_left_what_to_do_in_danger_comes_with_the_next_reply(
    tmp_path: Path, faq: Faq
) -> None:
    async with month(tmp_path, faq, used=ALL) as clinic:
        await clinic.says("I cannot breathe", ago=LATE)
        before, not_told = clinic.ways(), list(clinic.scene.staff.not_told)
        await clinic.says("swollen")
        await clinic.says("swollen")

        assert (before, not_told) == ([], [False])
        first, second = clinic.platform.texts()[:2]
        assert first.startswith(faq.message("unsaid", "en"))
        assert "119" in first
        assert faq.message("alert_sent", "en") in first
        assert "119" not in second


async def test_danger_that_is_told_of_again_comes_first_and_once(tmp_path: Path, faq: Faq) -> None:
    async with month(tmp_path, faq, used=ALL) as clinic:
        await clinic.says("I cannot breathe", ago=LATE)
        await clinic.says("I cannot breathe")

        shown = clinic.platform.texts()[0]
        assert shown.index("119") < shown.index(faq.message("unsaid", "en"))
        assert shown.count("119") == 1


async def test_while_a_person_talks_what_was_not_told_comes_alone(tmp_path: Path, faq: Faq) -> None:
    async with month(tmp_path, faq, used=ALL) as clinic:
        await clinic.says("I cannot breathe", ago=LATE)
        clinic.scene.staff.taken.add(ANNA)
        await clinic.says("swollen")

        assert clinic.ways() == ["reply"]
        assert clinic.said("119")


async def test_what_could_not_be_told_is_kept_until_it_can_be(tmp_path: Path, faq: Faq) -> None:
    async with month(tmp_path, faq, used=ALL) as clinic:
        await clinic.says("I cannot breathe", ago=LATE)
        await clinic.says("swollen", ago=LATE)
        after_two = clinic.ways()
        await clinic.says("swollen")

        assert after_two == []
        assert clinic.said("119")


async def test_in_the_new_month_what_was_held_goes_out(tmp_path: Path, faq: Faq) -> None:
    async with month(tmp_path, faq, used=ALL) as clinic:
        await clinic.scene.outbox.tick()
        clinic.platform.used = 0
        clinic.scene.clock.now = DUE + dt.timedelta(hours=1, minutes=1)

        await clinic.scene.outbox.tick()
        await clinic.scene.outbox.tick()

        assert clinic.ways() == ["push"]
        assert Address("line", clinic.platform.accepted[0]["to"]) == ANNA
