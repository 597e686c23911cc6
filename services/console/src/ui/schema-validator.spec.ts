import { errorTree, schemaValidator } from './schema-validator.js';

const schema = {
  type: 'object',
  required: ['id'],
  properties: { id: { type: 'string', minLength: 1 }, data: { type: 'object', properties: { topics: { type: 'array', items: { type: 'string' } } } } },
} as const;

describe('the validator of forms', () => {
  it('accepts what fits and says of the rest where it does not', () => {
    expect(schemaValidator.isValid(schema as never, { id: 'a' }, schema as never)).toBe(true);
    const { errors, errorSchema } = schemaValidator.validateFormData({ id: '', data: { topics: [1] } }, schema as never);
    expect(errors.map(({ property }) => property)).toEqual(['.id', '.data.topics.0']);
    expect(errorSchema).toMatchObject({ id: { __errors: [expect.any(String)] }, data: { topics: { 0: { __errors: [expect.any(String)] } } } });
  });

  it('leaves a schema that it cannot read to the service', () => {
    expect(schemaValidator.isValid({ $ref: '#/nowhere' } as never, {}, {} as never)).toBe(true);
  });

  it('collects several messages at one field', () => {
    const problem = (message: string) => ({ property: '.a', message, stack: '' });
    expect(errorTree([problem('one'), problem('two')])).toEqual({ a: { __errors: ['one', 'two'] } });
  });
});
