"""What a program spends its time on: each op, forward and backward, each launch of a kernel, each optimizer step.

    with tk.profiler.profile() as prof:
        step()
    print(prof)
    prof.export_chrome_trace("trace.json")

Off, it costs nothing: no op, rule or launch asks whether it is profiled. A profile begins by putting a timed function
in the place of each, and ends by putting back what was there (`patches.py` says where these places are). What is timed
is an op's work on arrays; what the graph adds to it, a microsecond a call, is in no op's time.
"""

from trainkit.profiler.events import Average, Event
from trainkit.profiler.session import profile, record_function

__all__ = ["Average", "Event", "profile", "record_function"]
