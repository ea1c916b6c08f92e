import { describe, expect, it } from 'vitest';
import { RequestError } from '../errors.ts';
import { renderChat } from './chat-template.ts';

const messages = [
  { role: 'user', content: 'hi' },
  { role: 'assistant', content: 'hello' },
  { role: 'user', content: 'bye' },
];
const render = (template: string, extra = {}) => renderChat({ template, bosToken: '<s>', eosToken: '</s>' }, messages, extra);
const error = (template: string) => {
  try {
    render(template);
  } catch (caught) {
    if (caught instanceof RequestError) return caught.error;
    throw caught;
  }
  throw new Error('it did not fail');
};

describe('a chat template', () => {
  it('writes all messages and opens the answer', () => {
    const chatMl =
      "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] | trim + eos_token }}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
    expect(render(chatMl)).toBe('<|im_start|>user\nhi</s><|im_start|>assistant\nhello</s><|im_start|>user\nbye</s><|im_start|>assistant\n');
  });

  it('loses one token of the beginning, and cannot be given other messages by its variables', () => {
    expect(render('{{ bos_token }}{{ bos_token }}{{ messages | length }}{{ x }}', { x: 'y', messages: [], bos_token: '!' })).toBe('<s>3y');
  });

  it.each([
    ["{{ raise_exception('Conversation roles must alternate') }}", /roles must alternate/],
    ['{{ messages[0].content | no_such_filter }}', /no_such_filter/],
    ['{% for m in messages %}', /./],
    ['{% for i in range(1000000000) %}x{% endfor %}', /timed out/],
  ])('that fails is an error of the request: %s', (template, message) => {
    expect(error(template)).toMatchObject({ status: 400, code: 'chat_template_failed', param: 'messages' });
    expect(error(template).message).toMatch(message);
    expect(render('{{ messages | length }}')).toBe('3');
  });
});
