"""What happens to the nodes of a cluster on an emulated WAN, by chance: deaths, silence, cuts, clocks that are set."""

import collections
import signal
import time

MINUTE, YEAR = 60, 365 * 86_400
# Longer than the ten seconds after which silence is taken for death.
LONG_SILENCE = (10.5, 14)


class Faults:
    """Faults of nodes that can be undone. `hosts` has the place of each node on the WAN, `clocks` what sets its clock."""

    def __init__(self, wan, hosts, clocks, source):
        self.wan, self.hosts, self.clocks, self.source = wan, hosts, clocks, source
        # Nodes that are away for long: nothing else happens to them.
        self.away = set()
        self.counts = collections.Counter()
        # When what happened to whom, for people.
        self.history = []
        # Per node or pair to which something happens: when it is undone, and how.
        self.undoing = {}

    def go_on(self, seconds):
        """Lets things happen for so long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._undo(time.monotonic())
            self._one()
            time.sleep(self.source.uniform(0.1, 1.5))

    def heal(self):
        """Undoes everything."""
        self._undo(float("inf"))
        self.wan("heal")
        for node in self.nodes:
            self.set_clock(node, 0)
        for node in self.nodes:
            node.ready()
        self._note("all is healed")

    @property
    def nodes(self):
        return [node for node in self.hosts if node not in self.away]

    def _note(self, text):
        self.history.append(f"{time.monotonic():.3f} {text}")

    def _undo(self, now):
        for name, (when, undo) in list(self.undoing.items()):
            if when <= now:
                del self.undoing[name]
                undo()

    def _one(self):
        source = self.source
        fault = source.choices([self._kill, self._freeze, self._cut, self._isolate, self._one_way, self._step],
                               [30, 20, 15, 10, 15, 10])[0]
        node, other = source.sample(self.nodes, 2)
        name = node.name if fault in (self._kill, self._freeze) else f"{fault.__name__} {node.name}"
        # Mostly no more than a cluster of three bears: what all of it refuses shows little.
        busy = sum(key in [n.name for n in self.nodes] for key in self.undoing)
        if name in self.undoing or busy and source.random() < 0.8:
            return
        seconds = source.choice([source.uniform(0.1, 1), source.uniform(0.5, 5)])
        undo = fault(node, other)
        if undo:
            if fault == self._freeze and source.random() < 0.15:
                seconds = source.uniform(*LONG_SILENCE)
            self.undoing[name] = (time.monotonic() + seconds, undo)
            self.counts[fault.__name__.strip("_")] += 1

    def _kill(self, node, _):
        self._note(f"{node.name} is killed")
        node.kill()

        def undo():
            self._note(f"{node.name} starts")
            node.start(wait=False)
            # Now and then it dies again while it is still getting up.
            if self.source.random() < 0.25:
                time.sleep(self.source.uniform(0, 0.3))
                node.kill()
                self.counts["kill at a start"] += 1
                self._note(f"{node.name} is killed at its start, and starts")
                node.start(wait=False)
        return undo

    def _freeze(self, node, _):
        self._note(f"{node.name} is stopped")
        node.signal(signal.SIGSTOP)

        def undo():
            self._note(f"{node.name} goes on")
            node.signal(signal.SIGCONT)
        return undo

    def _cut(self, node, other):
        self._note(f"{node.name} and {other.name} are cut apart")
        return self._cuts([("partition", node, other)])

    def _isolate(self, node, _):
        """Clients reach it: nobody else does."""
        self._note(f"{node.name} is cut off")
        return self._cuts([("partition", node, other) for other in self.nodes if other is not node])

    def _one_way(self, node, other):
        self._note(f"nothing passes from {node.name} to {other.name}")
        return self._cuts([("oneway", node, other)])

    def _cuts(self, cuts):
        for how, node, other in cuts:
            self.wan(how, self.hosts[node], self.hosts[other])

        def undo():
            for _, node, other in cuts:
                self._note(f"{node.name} and {other.name} are joined")
                self.wan("heal", self.hosts[node], self.hosts[other])
        return undo

    def _step(self, node, _):
        far = self.source.random() < 0.25
        self.set_clock(node, self.source.choice([73 * YEAR, -3 * YEAR, 3600]) if far
                        else self.source.randint(-14, 14) * MINUTE)
        self.counts["step far" if far else "step"] += 1

    def set_clock(self, node, seconds):
        if node.credentials.clock_shift != seconds:
            self._note(f"the clock of {node.name} is set {seconds} s ahead")
            self.clocks[node].set(seconds)
            # Clients that are told so follow it.
            node.credentials.clock_shift = seconds
