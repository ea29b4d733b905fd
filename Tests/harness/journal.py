"""What a faulty world owes its clients, kept outside of it: attempts, acknowledgements, allowed states.

Every attempt to change a key is written down before it is sent, with the time it began; with the
answer comes the time it ended and whether it was acknowledged. Of a key, the state that a later read
may show is the effect of an attempt A (or the state before all of them) such that no acknowledged
attempt began after A had ended: A was overwritten then. An attempt without acknowledgement has no
end: it may take effect at any time until a read has shown what the fault left.

Clients of one process share a clock, so "began after it had ended" needs no other order.

On several replicas an attempt without acknowledgement may take effect more than once, and what has no end may come back
as often as it likes: the rule above says so already. One that was acknowledged has an end, so there is a second rule,
for a journal that keeps reads: of two reads, one after the other, the second is never older. What a read did not show
though its attempt had ended before it was replaced for good by what it did show.
"""

import threading
import time

ABSENT = "absent"
FOREVER = float("inf")


class Attempt:
    """One PUT, multipart upload or DELETE of one key."""

    # There are a million of them in an hour.
    __slots__ = ("number", "key", "kind", "content", "began", "ended", "acknowledged")

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
        span = f"{self.began:.3f} to {self.ended:.3f}"
        return f"<{self.number} {self.kind} {self.key} {self.content} {state} {span}>"


class Journal:
    def __init__(self, keeps_reads=False):
        self.keeps_reads = keeps_reads
        # By key: when a read began and ended, and what it showed.
        self.reads = {}
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

    def saw(self, key, effect, began, ended):
        """A read of `key` between the two times has shown `effect`."""
        if self.keeps_reads:
            with self.lock:
                self.reads.setdefault(key, []).append((began, ended, effect))

    def allowed(self, key, read_began=FOREVER, read_ended=FOREVER):
        """Effects that a read of `key` between the two times may show."""
        with self.lock:
            attempts = list(self.attempts.get(key, []))
            reads = [read for read in self.reads.get(key, []) if read[1] < read_began]
            # What had ended before this was overwritten before the read.
            overwritten = max(
                (a.began for a in attempts if a.acknowledged and a.ended < read_began), default=0.0)
            states = {}
            before = self.before.get(key, ABSENT)
            if overwritten <= 0.0 and not self._replaced(reads, 0.0, before):
                states[before] = None
            for attempt in attempts:
                if attempt.began < read_ended and overwritten <= attempt.ended \
                        and not self._replaced(reads, attempt.ended, attempt.effect):
                    states[attempt.effect] = attempt
            return states

    @staticmethod
    def _replaced(reads, ended, effect):
        return any(began > ended and shown != effect for began, _, shown in reads)

    def settle(self, key, effect):
        """After a fault a read has shown `effect`: it is the state that the next round begins with."""
        with self.lock:
            self.before[key] = effect
            self.attempts[key] = []
            self.reads.pop(key, None)

    def acknowledged_count(self):
        with self.lock:
            return sum(attempt.acknowledged for attempt in self.by_number.values())
