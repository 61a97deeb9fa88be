// The report as one file: its trials came with it.

import { soon } from "./scheduler.js";
import { start } from "./start.js";
import { takeTrials } from "./trial_data.js";

start();
soon(takeTrials, () => takeTrials(document.getElementById("trials").textContent));
