// The report of a study that a server shows, while the study may still be running.

import { follow } from "./live.js";
import { start } from "./start.js";

start();
follow();
