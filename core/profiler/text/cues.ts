/**
 * Words that tell how long an answer is asked for, in English: what to do, which form, how much. Whether a prompt has one, and whether it
 * begins with one, are numbers that may be learned from before anything was observed, unlike keyed hashes, which mean nothing elsewhere.
 */
export const CUES: readonly string[] = (
  'list write explain how what why which who when where name give tell describe compare create code python story essay poem email letter ' +
  'paragraph sentence short brief detailed example examples step steps recipe translate summarize summary rewrite edit classify extract fix ' +
  'correct calculate answer one word two three five ten table plan ideas suggest recommend difference best should can is are do does i my me ' +
  'you following text generate provide design develop discuss find choose define make help words sentences paragraphs points bullet page ' +
  'article blog post report review script scene dialogue conversation song lyrics speech joke haiku title titles names headline tweet caption ' +
  'guide tutorial history itinerary schedule outline pros cons function program html sql json meaning definition synonym sentiment ' +
  'true false yes number many much each all several only simple long please'
).split(' ');

/** The first of them that are also looked for among a prompt's first words. */
export const OPENING_CUES = 40;
/** How many words the opening is. */
export const OPENING_WORDS = 3;
