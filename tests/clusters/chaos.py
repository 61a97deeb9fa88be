"""A cluster on which everything goes wrong: messages are dropped, doubled, delayed, reordered and damaged, and agents
are killed."""

import random

from steepest.clusters.near import NearCluster


class ChaosCluster(NearCluster):
    def __init__(self, seed, nodes=2, serve=None, kills=3):
        super().__init__(nodes, 1, serve)
        self.random = random.Random(seed)
        self.late, self.kills, self.happened = [], kills, set()

    def _fate(self):
        fate = self.random.choices(("fine", "drop", "double", "delay", "damage"), (60, 12, 12, 12, 4))[0]
        self.happened.add(fate)
        return fate

    def hand_over(self, agent, parcel):
        match self._fate():
            case "drop":
                return
            case "delay":
                self._queue.append(parcel)
                return
            case "double":
                super().hand_over(self.random.choice(self.agents), parcel)
        super().hand_over(agent, parcel)

    def receive(self, timeout):
        if self.kills and self.random.random() < 0.1:
            self.kills -= 1
            self.happened.add("kill")
            self.agents.pop(self.random.randrange(len(self.agents))).close()
            self.agents.append(self.new_agent())
        came = self.late + super().receive(timeout)
        self.late, given = [], []
        for raw in came:
            match self._fate():
                case "fine":
                    given.append(raw)
                case "double":
                    given += [raw, raw]
                case "delay":
                    self.late.append(raw)
                case "damage":
                    spot = self.random.randrange(len(raw))
                    given.append(raw[:spot] + bytes([raw[spot] ^ 1]) + raw[spot + 1 :])
        self.random.shuffle(given)
        return given
