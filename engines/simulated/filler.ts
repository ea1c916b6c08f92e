/** Text that says it is simulated and then goes on like English, one piece a token, the same for the same seed. */
import { createRandom, type Random } from '../../core/simulator/random.ts';

const OPENING = ['This', ' is', ' simulated', ' text', ',', ' not', ' the', ' output', ' of', ' a', ' model', '.'];

const WORDS = (
  'a about across after again air all almost along also always an and another answer any are around as ask at away back be because ' +
  'before begin below better between both boat bring build but by call can care change city clear close come could country course day ' +
  'deep different do down each early earth end enough even every example eye far few field find first follow for form found from full ' +
  'gave give go good great ground grow had half hand hard has have head hear help her here high hill hold home house how idea if in ' +
  'into is it its just keep kind know land large last late lead learn leave left let letter life light like line little live long look ' +
  'made make many may mean might mind miss more morning most move much must name near need never new next night no north note now ' +
  'number of off often old on once one only open or other our out over own page part people place plan plant play point port question ' +
  'quick quite rain read real rest right river road room round run said same saw say school sea second see seem set she ship short ' +
  'should show side small so some song soon sound south spell stand star start state still stop story such sure take talk tell than ' +
  'that the their them then there these they thing think this those thought three through time to together too took toward tree try ' +
  'turn two under until up us use very walk want was watch water way we week well went were what when where which while white who why ' +
  'will wind with wonder word work world would write year you young'
).split(' ');

/** A function that gives the next piece of an endless text. */
export function createFiller(seed: string): () => string {
  const random = createRandom(seed);
  let opened = 0;
  let wordsLeft = sentenceWords(random);
  return () => {
    if (opened < OPENING.length) return OPENING[opened++] as string;
    if (wordsLeft-- > 0) return ` ${WORDS[Math.floor(random() * WORDS.length)]}`;
    wordsLeft = sentenceWords(random);
    return '.';
  };
}

function sentenceWords(random: Random): number {
  return 6 + Math.floor(random() * 12);
}
