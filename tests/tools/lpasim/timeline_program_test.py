"""Timelines of `lpasim run --timeline`: that they are trace events, and that they agree with the report."""

import collections
import json
import unittest
from fractions import Fraction

from support import TinyRunTest

PERIOD = Fraction(2, 1000)  # Microseconds.


class Timeline(TinyRunTest):
    def record(self, *extra, file="t.json"):
        self.succeed(*self.arguments("--timeline", self.folder / file, "--force", *extra))
        return Trace((self.folder / file).read_text())

    def test_events_keep_the_formats_rules(self):
        for model in ("fast", "pin"):
            with self.subTest(model):
                trace = self.record("--model", model)
                self.assertEqual(trace.process, "LPA 8x8")
                self.assertEqual(len(trace.threads), 16)
                self.assertEqual(trace.faults(), [])

    def test_stalls_add_up_to_the_reports_causes(self):
        for model in ("fast", "pin"):
            with self.subTest(model):
                trace = self.record("--model", model)
                counted = collections.Counter()
                for event in trace.on("array stalls"):
                    counted[event["name"]] += event["args"]["cycles"]
                causes = self.report()["totals"]["cycles_by_cause"]
                self.assertEqual(counted, {name: cycles for name, cycles in causes.items()
                                           if cycles > 0 and name not in ("busy", "idle")})

    def test_tiles_are_those_of_the_report(self):
        trace = self.record()
        totals = self.report()["totals"]
        self.assertEqual(len(trace.on("array")), totals["tiles"])
        self.assertEqual(len(trace.on("weight loader")), totals["tiles"])
        self.assertGreaterEqual(sum(event["args"]["cycles"] for event in trace.on("array")), totals["vectors"])

    def test_layers_carry_names_images_and_cycles(self):
        trace = self.record()
        report = self.report()
        names = [layer["name"] for layer in report["layers"]]
        seen = [(event["args"]["image"], event["name"]) for event in trace.on("layer")]
        self.assertEqual(seen, [(image, name) for image in range(3) for name in names])
        for layer in report["layers"]:
            cycles = sum(event["args"]["cycles"] for event in trace.on("layer") if event["name"] == layer["name"])
            self.assertLessEqual(cycles, layer["cycles"])
            self.assertGreater(cycles, layer["cycles"] // 2)

    def test_only_the_layers_asked_for(self):
        whole = self.record()
        part = self.record("--timeline-layers", "1:3", file="p.json")
        names = [layer["name"] for layer in self.report()["layers"]][1:3]
        self.assertEqual([event["name"] for event in part.on("layer")], names * 3)
        # Every slice of the part is one of the whole, and lies in a layer that was asked for.
        times = [(event["args"]["edge"], event["args"]["edge"] + event["args"]["cycles"]) for event in part.on("layer")]
        for event in part.slices:
            self.assertIn(event, whole.slices)
            self.assertTrue(any(begin <= event["args"]["edge"] < end for begin, end in times), msg=event)

    def test_both_models_record_the_same(self):
        fast, pin = self.record(), self.record("--model", "pin", file="p.json")
        key = lambda event: (event["tid"], event["args"]["edge"], event["name"])
        self.assertEqual(sorted(fast.slices, key=key), sorted(pin.slices, key=key))

    def test_mistakes_are_refused(self):
        t = self.folder / "t.json"
        for message, extra in [
                ("option '--timeline-layers': needs --timeline FILE", ["--timeline-layers", "0:1"]),
                ("expected A:B with whole numbers A < B", ["--timeline", t, "--timeline-layers", "1"]),
                ("the network has layers 0 to 3 only", ["--timeline", t, "--timeline-layers", "4:5"]),
                ("name the same file", ["--timeline", t, "--vcd", t, "--model", "pin"]),
                ("cannot be written: No such file", ["--timeline", self.folder / "nowhere" / "t.json"]),
        ]:
            with self.subTest(message):
                self.fail_with(2, message, *self.arguments(*extra))
        self.assertEqual(self.names(), [])

    def test_may_stand_in_the_result_folder(self):
        self.record(file="R/timeline.json")
        self.assertEqual(self.names(), ["R", "R/layers.csv", "R/report.json", "R/timeline.json"])


class Trace:
    """A file in the JSON object form of the trace event format."""

    def __init__(self, text):
        whole = json.loads(text, parse_float=Fraction)
        self.events = whole["traceEvents"]
        meta = [event for event in self.events if event["ph"] == "M"]
        self.process = next(event["args"]["name"] for event in meta if event["name"] == "process_name")
        self.threads = {event["tid"]: event["args"]["name"] for event in meta if event["name"] == "thread_name"}
        self.slices = [event for event in self.events if event["ph"] == "X"]

    def on(self, thread):
        """A thread's slices in order of time."""
        found = [event for event in self.slices if self.threads[event["tid"]] == thread]
        return sorted(found, key=lambda event: event["args"]["edge"])

    def faults(self):
        found = []
        for event in self.events:
            if event["ph"] not in "XM" or not isinstance(event["name"], str) or event["pid"] != 1:
                found.append(event)
            elif event["ph"] == "X":
                edge, cycles = event["args"]["edge"], event["args"]["cycles"]
                if (event["ts"], event["dur"]) != (edge * PERIOD, cycles * PERIOD) or cycles < 1 or edge < 1:
                    found.append(event)
                if event["tid"] not in self.threads:
                    found.append(event)
        for thread in self.threads.values():
            # Slices of a thread must nest or be disjoint.
            open_until = []
            for event in sorted(self.on(thread), key=lambda event: (event["ts"], -event["dur"])):
                while open_until and open_until[-1] <= event["ts"]:
                    open_until.pop()
                if open_until and event["ts"] + event["dur"] > open_until[-1]:
                    found.append(event)
                open_until.append(event["ts"] + event["dur"])
        return found


if __name__ == "__main__":
    unittest.main()
