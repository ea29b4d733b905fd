"""What a faulty world owes its clients, kept outside of it: attempts, acknowledgements, allowed states.

Every attempt to change a key is written down before it is sent, with the time it began; with the
answer comes the time it ended and whether it was acknowledged. Of a key, the state that a later read
may show is the effect of an attempt A (or the state before all of them) such that no acknowledged
attempt began after A had ended: A was overwritten then. An attempt without acknowledgement has no
end: it may take effect at any time until a read has shown what the fault left.

Clients of one process share a clock, so "began after it had ended" needs no other order.
"""

import threading
import time

ABSENT = "absent"
FOREVER = float("inf")


class Attempt:
    """One PUT, multipart upload or DELETE of one key."""

    def __init__(self, number, key, kind, content=None):
        self.number = number
        self.key = key
        self.kind = kind
        self.content = content
        self.began = time.monotonic()
        self.ended = FOREVER
        self.acknowledged = False

    @property
    def effect(self):
        """The number of the attempt whose bytes the key has afterwards, or ABSENT."""
        return ABSENT if self.kind == "delete" else self.number

    def __repr__(self):
        state = "acknowledged" if self.acknowledged else "unanswered"
        return f"<{self.number} {self.kind} {self.key} {self.content} {state}>"


class Journal:
    def __init__(self):
        self.lock = threading.Lock()
        self.attempts = {}
        self.before = {}
        self.by_number = {}
        self.next_number = 1
        self.power_ends_at = FOREVER

    def power_ends(self):
        """From now on no answer counts: without power it would not have been sent.

        The file system is stopped while the server still runs, which no power failure does, and what
        an fsync(2) that overlaps the stop is worth is not known. So what is acknowledged meanwhile
        may or may not be there.
        """
        with self.lock:
            self.power_ends_at = time.monotonic()

    def power_returns(self):
        with self.lock:
            self.power_ends_at = FOREVER

    def begin(self, key, kind, content=None):
        with self.lock:
            attempt = Attempt(self.next_number, key, kind, content)
            self.next_number += 1
            self.attempts.setdefault(key, []).append(attempt)
            self.by_number[attempt.number] = attempt
            return attempt

    def acknowledge(self, attempt):
        with self.lock:
            now = time.monotonic()
            if now >= self.power_ends_at:
                return
            attempt.ended = now
            attempt.acknowledged = True

    def keys(self):
        with self.lock:
            return sorted(set(self.attempts) | set(self.before))

    def allowed(self, key, read_began=FOREVER, read_ended=FOREVER):
        """Effects that a read of `key` between the two times may show."""
        with self.lock:
            attempts = list(self.attempts.get(key, []))
            states = {}
            if self._survives(attempts, 0.0, read_began):
                states[self.before.get(key, ABSENT)] = None
            for attempt in attempts:
                if attempt.began < read_ended and self._survives(attempts, attempt.ended, read_began):
                    states[attempt.effect] = attempt
            return states

    @staticmethod
    def _survives(attempts, ended, read_began):
        return not any(
            other.acknowledged and other.began > ended and other.ended < read_began
            for other in attempts)

    def settle(self, key, effect):
        """After a fault a read has shown `effect`: it is the state that the next round begins with."""
        with self.lock:
            self.before[key] = effect
            self.attempts[key] = []

    def acknowledged_count(self):
        with self.lock:
            return sum(attempt.acknowledged for attempt in self.by_number.values())
