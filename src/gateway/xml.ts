/** The XML of S3: written by hand, since it is a dozen element names; read by fast-xml-parser. */
import { XMLParser } from 'fast-xml-parser';
import { S3Error } from './s3-error.js';

/** Text, which is escaped, or elements, which are XML already. */
type XmlContent = string | number | boolean | XmlElement | readonly XmlElement[];

export class XmlElement {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export function element(name: string, ...contents: readonly XmlContent[]): XmlElement {
  return new XmlElement(`<${name}>${contents.map(textOfContent).join('')}</${name}>`);
}

/** A whole reply. */
export function xmlDocument(name: string, ...contents: readonly XmlContent[]): string {
  const inside = contents.map(textOfContent).join('');
  const namespace = 'http://s3.amazonaws.com/doc/2006-03-01/';
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${name} xmlns="${namespace}">${inside}</${name}>`;
}

function textOfContent(content: XmlContent): string {
  if (content instanceof XmlElement) return content.text;
  if (typeof content === 'object') return content.map(({ text }) => text).join('');
  return escape(String(content));
}

/**
 * XML 1.0 has no control characters, not even escaped. S3 writes them escaped, and clients that cannot read that ask for
 * encoding-type=url.
 */
function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll(/[\u0000-\u001f\u007f]/g, (character) => `&#x${character.charCodeAt(0).toString(16)};`);
}

const parser = new XMLParser({
  ignoreAttributes: true,
  ignoreDeclaration: true,
  removeNSPrefix: true,
  parseTagValue: false,
  trimValues: false,
  htmlEntities: true, // these are the ones with numbers
});

/** The content of the document's element `name`. Throws `MalformedXML` if there is none. */
export function parseXml(text: string, name: string): unknown {
  if (/<!DOCTYPE/i.test(text)) throw malformed(); // no entities but those of XML
  const root = childOf(parse(text), name);
  if (root === undefined) throw malformed();
  return root;
}

/** The parser refuses some documents that are valid, for example with names that are dangerous in JavaScript. */
function parse(text: string): unknown {
  try {
    return parser.parse(text);
  } catch (cause) {
    throw malformed(cause);
  }
}

/** The elements of this name: none, one or many. */
export function childrenOf(parent: unknown, name: string): readonly unknown[] {
  const child = childOf(parent, name);
  if (child === undefined) return [];
  return Array.isArray(child) ? (child as readonly unknown[]) : [child];
}

/** The text of the element of this name. Undefined unless there is exactly one. */
export function childText(parent: unknown, name: string): string | undefined {
  const [child, ...others] = childrenOf(parent, name);
  return typeof child === 'string' && others.length === 0 ? child : undefined;
}

export function malformed(cause?: unknown): S3Error {
  return new S3Error('MalformedXML', 'The XML you provided was not well-formed or did not validate.', {
    cause,
  });
}

function childOf(parent: unknown, name: string): unknown {
  if (typeof parent !== 'object' || parent === null || !Object.hasOwn(parent, name)) return undefined;
  return Reflect.get(parent, name);
}
