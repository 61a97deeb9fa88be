// Runs: a method with its rate and settings, how it looks and what it is called beside others.

import { facts } from "./data.js";
import { setting } from "./numbers.js";

export const MAX_RUNS = 6; // runs at a time

export const methodOf = (name) => facts.methods.find((method) => method.name === name);

// The nearest rate that was trained. Knobs that are not named, or not by a value that they have, stand as usual.
export function runOf({ method, rate, settings = {} }) {
  const far = (other) => Math.abs(Math.log(other / rate));
  const value = ({ name, choices, usual }) => (choices.includes(settings[name]) ? settings[name] : usual);
  return {
    method,
    rate: facts.rates.reduce((best, other, i) => (far(other) < far(facts.rates[best]) ? i : best), 0),
    settings: Object.fromEntries(methodOf(method).knobs.map((knob) => [knob.name, value(knob)])),
  };
}

// The colour and dash of each run: its method's colour, and a dash that no other run of that colour has.
export function looks(runs) {
  const taken = new Set();
  return runs.map(({ method }) => {
    const { colour, dash } = methodOf(method);
    let i = dash;
    while (taken.has(`${colour}/${i}`)) i = (i + 1) % facts.dashes.length;
    taken.add(`${colour}/${i}`);
    return { colour, dash: facts.dashes[i] };
  });
}

// The name of a run on the page: the method, and the settings in which it differs from runs of the same method.
export function nameOf(run, runs) {
  const namesakes = runs.filter((other) => other.method === run.method);
  const settings = [["η", run.rate, setting(facts.rates[run.rate]), (other) => other.rate]];
  for (const { name, letter } of methodOf(run.method).knobs) {
    settings.push([letter, run.settings[name], setting(run.settings[name]), (other) => other.settings[name]]);
  }
  const differing = settings.filter(([, value, , of]) => namesakes.some((other) => of(other) !== value));
  const words = differing.map(([letter, , text]) => `${letter} ${text}`);
  return [...(namesakes.length < runs.length || !words.length ? [run.method] : []), ...words].join(" ");
}
