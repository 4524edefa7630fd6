"""Small templates, each on one point of the language, compared with jinja2 by check.py and kept as goldens."""

from __future__ import annotations

from typing import Any

CONTEXT: dict[str, Any] = {
    "s": "Hello World", "u": "Grüße, ÉCOLE 🙂 ß", "e": "", "n": 7, "m": -3, "f": 2.5, "big": 1e16, "tiny": 1e-05, "t": True, "z": None,
    "xs": [3, 1, 2], "ys": ["b", "A", "c", "a"], "mixed": [1, "a", None, 2.5, True, [1], {"k": 1}],
    "d": {"b": 1, "a": {"c": [1, 2, {"x": "y"}]}, "items": 5, "Z": "last", "é": "accent"},
    "rows": [{"name": "Bo", "age": 30, "in": {"c": "x"}}, {"name": "al", "age": 25, "in": {"c": "Y"}}, {"name": "Cy", "age": 30}],
    "lines": "one\ntwo\r\n\n three\t\x0bfour", "spaces": "\t  pad ded \n", "html": "<a href=\"x\">'&'</a>", "wide": 18446744073709551615,
    "quote": "it's \"so\"", "single": "it's", "ctrl": "a\x00b\x1f\x7f\u2028\u00ad\U000e0001", "messages": [{"role": "user", "content": "hi"}],
}

# Expressions, each printed alone.
EXPRESSIONS = """
1 + 2 * 3
(1 + 2) * 3
7 // 2, -7 // 2, 7 % 3, -7 % 3, 7 % -3, -7 // -2
7 / 2, 6 / 2, 1 / 3
2 ** 3 ** 2
-2 ** 2
2 ** -1
2 ** 0.5
7.5 // 2, -7.5 // 2, 7.5 % 2, -7.5 % 2, 5.0 % -3
1 // 0
1 / 0
1 % 0
1.0 // 0
0 ** -1
1 + true, true + true, -true, +true, true * 3
1 + 1.0, 2 * 0.1, 0.1 + 0.2
1e3, 1.5e-7, 1e16, 1e15, 123456789012345678.0, 1e22, 1e-4, 1e-5, 0.00001234, 1e300 * 1e10
-0.0, 0.0, 3.0, 100.0, 1.10
1_000, 0x1F, 0o17, 0b101, 0xff_ff, 1_0.5_0
9223372036854775807
big, tiny, f, n, wide
wide == 18446744073709551615.0, wide > 5, wide is integer, [wide], wide|tojson
'a' + 'b' ~ 1 ~ none ~ true ~ 1.0
'a' + 1
1 + 'a'
[1] + [2], (1,) + (2,)
[1] + (2,)
'ab' * 3, 3 * 'ab', 'ab' * 0, 'ab' * -1, [1, 2] * 2, (1,) * 3
'ab' * 1.5
not true, not not 1, not '', not none
1 and 2, 0 and 2, 1 or 2, 0 or '', none or 'x', '' and 1
true and not false or false
not 1 == 2
1 < 2 < 3, 1 < 3 < 2, 1 == 1.0 == true, 3 > 2 >= 2 != 1
1 < 'a'
none < 1
'a' < 'b', 'B' < 'a', 'é' > 'z', '🙂' > '\uffff'
[1, 2] < [1, 3], [1] < [1, 0], (1, 'a') < (1, 'b')
[1] < (1,)
[1, 'a'] < [1, 2]
[1, 2] == [1, 2], [1] == (1,), {'a': 1} == {'a': 1.0}, {'a': 1, 'b': 2} == {'b': 2, 'a': 1}
none == false, none == none, 0 == false, 1 == true, '' == false
1 in [1, 2], 'a' in 'abc', 'k' in {'k': 1}, 4 not in [1], true in [1], '' in 'abc', none in [none]
1 in 'abc'
1 in none
1 in 5
[1] in {'a': 1}
'x' in undefined_name
2 in range(5), 9 in range(5)
1 if true else 2, 1 if false else 2, 1 if false
'a' if 1 else 'b' if 0 else 'c'
(1 if false) is defined
1 if e else 2 if s else 3
[1, 2, 3][0], [1, 2, 3][-1], 'abc'[1], 'abc'[-1], (1, 2)[1]
[1, 2][5] is defined, 'abc'[9] is defined, xs['x'] is defined, xs[1.0] is defined
xs[1:], xs[:1], xs[::-1], xs[-2:], xs[0:3:2], xs[5:], xs[:-1], xs[::2]
s[1:4], s[::-1], s[-5:], s[::2], u[0:6], u[::-1], u[-3:]
xs[::0]
xs['a':]
z[1:]
d[1:]
undefined_name[1:]
xs[none:2], xs[true:]
(1, 2, 3)[1:], range(10)[2:8:3], range(5)[::-1]|list
d.b, d['b'], d.a.c[2].x, d['a']['c'][0]
d.missing is defined, d['missing'] is defined
d.missing.more
d.missing
undefined_name
undefined_name.x
undefined_name['x']
undefined_name()
undefined_name + 1
1 + undefined_name
-undefined_name
undefined_name < 1
undefined_name == undefined_name, undefined_name == none, undefined_name != 1
undefined_name ~ 'x', undefined_name|length, undefined_name|list, undefined_name|upper
[undefined_name, none], {'a': undefined_name}
undefined_name|tojson
none.x is defined, none['x'] is defined, 5 .x is defined
none.x.y
d.items()|list
d.items is defined, d.items is callable, d['items']
d.keys()|list, d.values()|list, d.keys(), d.items()
d.items()[0] is defined, d.items()|length, d.keys() is sequence, d.keys() is iterable, d.keys() is mapping
d.get('b'), d.get('q'), d.get('q', 'dflt'), d.get('b', 1)
d.get()
d.get(key='b')
d.pop('b')
d.pop is defined, d.update is defined, d.clear is callable
d.update({'x': 1})
xs.append(4)
xs.append is defined
xs.index(1), xs.count(3), xs.copy()
xs.index(9)
(1, 2, 1).count(1), (1, 2).index(2)
d.__class__ is defined, d['__class__'] is defined, s.__len__ is defined
s.upper(), s.lower(), s.title(), s.swapcase(), s.capitalize(), 'hELLO wORLD'.capitalize()
u.upper(), u.lower(), u.title(), u.capitalize(), u.swapcase(), u.casefold()
'ΑΣ ΣΑΣ Σ'.lower(), 'ﬁ ŉ ǆ'.upper(), 'İ'.lower()|length, 'ǆ'.title()
s.split(), s.split('o'), s.split('o', 1), s.rsplit('o', 1), 'a,b,,c'.split(','), ''.split(), ''.split(',')
' a  b '.split(), ' a  b c '.split(none, 1), ' a  b c '.rsplit(none, 1), 'a b'.split(' '), 'a-b-c'.split(sep='-', maxsplit=1)
'a'.split('')
'a'.split(1)
s.strip('Hd'), spaces.strip(), spaces.lstrip(), spaces.rstrip(), 'xxaxx'.strip('x'), 'éaé'.strip('é'), '\u3000x\u00a0'.strip()
'abc'.strip(none), 'abc'.lstrip('ab'), 'abc'.rstrip('cb')
'abc'.strip(1)
s.startswith('He'), s.endswith('ld'), s.startswith(('x', 'H')), s.endswith(()), s.startswith('W', 6), s.startswith('o', 4, 5)
s.startswith(1)
s.startswith(['a'])
s.replace('o', '0'), s.replace('o', '0', 1), 'aaa'.replace('', '-'), 'äö'.replace('', '-', 2), 'abc'.replace('b', '')
s.replace(1, 2)
s.find('o'), s.find('o', 5), s.find('zz'), s.rfind('o'), u.find('É'), s.index('W'), s.find('o', -3), s.find('', 20), s.find('')
s.index('zz')
s.count('o'), s.count(''), 'aaaa'.count('aa'), s.count('l', 3, 5)
', '.join(['a', 'b']), ''.join('abc'), '-'.join({'x': 1, 'y': 2})
', '.join([1])
'a\\nb\\r\\nc\\x0bd\\u2028e'.splitlines(), 'a\\n'.splitlines(true), ''.splitlines(), '\\n\\n'.splitlines()
'123'.isdigit(), 'a1'.isalnum(), 'abc'.isalpha(), ' '.isspace(), ''.isdigit(), '²'.isdigit(), '½'.isnumeric(), 'A1'.isupper(), 'a1'.islower(), 'Ab Cd'.istitle(), 'a_1'.isidentifier(), 'é'.isascii(), 'a'.isprintable(), '٣'.isdecimal()
'a'.center(5), 'ab'.center(5, '*'), 'a'.ljust(3) ~ '|', 'a'.rjust(3), '-7'.zfill(5), 'abc'.zfill(2), 'x'.center(4, '-')
'a=b=c'.partition('='), 'a=b=c'.rpartition('='), 'abc'.partition('='), 'abc'.rpartition('=')
'prefix-x'.removeprefix('prefix-'), 'x.txt'.removesuffix('.txt'), 'abc'.removeprefix('b')
'a\tb'.expandtabs(), 'a\tb'.expandtabs(4)
'{} {}'.format(1, 'a'), '{1} {0}'.format(1, 2), '{a} {b[0]} {c.k}'.format(a=1, b=[2], c={'k': 3}), '{{}}'.format()
'{:>5}|{:<5}|{:^5}|{:*^7}'.format('a', 'b', 'c', 'd'), '{:05d} {:+d} {:,} {:x} {:#X} {:b} {:o}'.format(42, 42, 1234567, 255, 255, 5, 8)
'{:.2f} {:8.3f} {:e} {:g} {:%} {:.0f} {:,.2f}'.format(3.14159, 2.71828, 12345.678, 0.00001, 0.256, 2.5, 1234567.891)
'{!r} {!s} {!a}'.format('é', 'é', 'é'), '{:{}}'.format('a', 5), '{:.3}'.format('abcdef'), '{:5}|'.format(3), '{:5}|'.format('x')
'{:=+8d}'.format(42), '{: d}'.format(5), '{:010.2f}'.format(-3.14159), '{:_}'.format(1234567), '{:c}'.format(65), '{:08,}'.format(1234)
'{:.3}'.format(3.14159), '{:10.4}'.format(1234.5678), '{:.1}'.format(1234.5), '{:.5}'.format(100000.0), '{:.17g}'.format(0.1), '{}'.format(1e20)
'{}'.format()
'{} {0}'.format(1)
'{'.format()
'}'.format()
'{a}'.format()
'{:d}'.format('a')
'{:s}'.format(1)
'{:q}'.format(1)
'{:>{w}}'.format('a', w=4), '{0.real}'.format(5), '{0[a]}'.format({'a': 1}), '{:s}'.format('x')
'{:5}'.format(none)
'{}{}{}'.format(none, [1, 'a'], {'k': 1.0})
'%s %d %r %5.2f %x %%' % ('a', 3, 'b', 3.14159, 255), '%s' % 'a', '%s' % [1], '%(a)s-%(b)d' % {'a': 1, 'b': 2}
'%05d|%-5d|%+d|% d|%5s|%-5s|%.2s' % (42, 42, 42, 42, 'a', 'b', 'cde'), '%e %g %G' % (1234.5, 0.00001, 1e20), '%c%c' % (65, 'b'), '%o %#x %#o' % (8, 255, 8)
'%d' % 3.9, '%i' % true, '%s' % none, '%*d' % (5, 42), '%.*f' % (1, 2.55), '%a' % 'é'
'%5%' % ()
'%5%' % 1
'%d' % 'a'
'%s %s' % 'a'
'%s' % ('a', 'b')
'%q' % 1
'%(a)s' % 1
'%(a)s' % {'b': 1}
'%' % 1
'%s' % undefined_name, '%s' % (1,), '%s' % [[1, 2]]
s|upper, s|lower, s|title, s|capitalize, u|title, 'foo-bar (baz) [qux] <a> it\\'s'|title, none|upper, 5|title
s|length, u|length, xs|length, d|length, e|length, xs|count
5|length
none|length
spaces|trim, 'xxhixx'|trim('x'), none|trim, '  a '|trim|length
xs|join, xs|join(', '), ys|join('-'), rows|join(', ', attribute='name'), rows|map(attribute='age')|join('+'), mixed|join('|'), 'abc'|join(','), d|join
none|join
s|replace('o', '0'), s|replace('o', '0', 1), 123|replace(2, 'x'), none|replace('o', '0'), 'aaa'|replace('a', '', 2)
xs|first, xs|last, s|first, s|last, d|first, d|last, []|first, ''|last, []|first is defined
none|first
xs|map('string')|last
xs|list, s|list, d|list, range(3)|list, none is none
none|list
xs|sort, xs|sort(reverse=true), ys|sort, ys|sort(case_sensitive=true), rows|sort(attribute='age')|map(attribute='name')|list, rows|sort(attribute='age,name')|map(attribute='name')|list
mixed|sort
d|sort, 'hello'|sort
xs|unique|list, ['a', 'A', 'b', 'a']|unique|list, ['a', 'A']|unique(case_sensitive=true)|list, rows|unique(attribute='age')|map(attribute='name')|list, [1, 1.0, true, 2]|unique|list
[[1]]|unique|list
xs|min, xs|max, ys|min, ys|max, ys|max(case_sensitive=true), rows|min(attribute='age'), []|min is defined, s|max
mixed|max
xs|sum, rows|sum(attribute='age'), [1.5, 2]|sum, []|sum, xs|sum(start=10), [[1], [2]]|sum(start=[])
ys|sum
d|dictsort, d|dictsort(true), {'b': 2, 'a': 3}|dictsort(by='value'), {'b': 2, 'a': 3}|dictsort(reverse=true), {'B': 1, 'a': 2, 'C': 3}|dictsort
xs|dictsort
{1: 2, 'a': 3}|dictsort
d|items|list, undefined_name|items|list
xs|items|list
xs|reverse|list, s|reverse, d|reverse|list, (1, 2)|reverse|list, range(3)|reverse|list
5|reverse
rows|map(attribute='in.c')|list
xs|map('string')|list, ys|map('upper')|join, rows[:2]|map(attribute='in.c')|list, rows|map(attribute='in.c', default='-')|list, xs|map('default', 1)|list, ys|map('replace', 'a', 'z')|list, [[1, 2]]|map('join', '-')|list, rows|map(attribute='zz', default=none)|list
xs|map('nosuch')|list
xs|map|list
xs|map(attr='x')|list
xs|select('odd')|list, xs|reject('odd')|list, mixed|select|list, mixed|reject|list, xs|select('gt', 1)|list, ys|select('in', ['a', 'b'])|list, xs|select('==', 2)|list, mixed|select('string')|list
xs|select('nosuch')|list
rows|selectattr('age', 'eq', 30)|map(attribute='name')|list, rows|rejectattr('age', 'eq', 30)|map(attribute='name')|list, rows|selectattr('in')|list|length, rows[:2]|selectattr('in.c', 'defined')|list|length, rows|selectattr('name', 'in', 'Boal')|list|length
rows|selectattr|list
xs|select('odd')|length
(xs|select('odd'))[0] is defined
(xs|select('odd')) is iterable, (xs|select('odd')) is sequence, (xs|select('gt', 9)) is true, 'y' if xs|select('gt', 9) else 'n'
xs|batch(2)|list, xs|batch(2, 0)|list, []|batch(2)|list, range(5)|batch(3, 'x')|list
xs|slice(2)|list, range(7)|slice(3)|list, range(7)|slice(3, 'f')|list, []|slice(2)|list
xs|slice(0)|list
rows|groupby('age'), rows|groupby('age')|map('first')|list, (rows|groupby('age'))[0].grouper, (rows|groupby('age'))[1].list|length, ['b', 'A', 'a']|map('upper')|list
rows|groupby('in.c', default='none')|map(attribute=0)|list
3.7|int, '42'|int, ' 42 '|int, 'x'|int, 'x'|int(-1), '0x1F'|int(0, 16), '1_000'|int, '42.9'|int, none|int, true|int, '-5'|int, '101'|int(base=2), '1e3'|int, '٣'|int(5) is number
'2.5'|float, 'x'|float, 'x'|float(1.5), 3|float, none|float, 'inf'|float, '-nan'|float, '1e5'|float, ' 1_0.5 '|float, true|float
undefined_name|int
2.5|round, 3.5|round, 2.567|round(2), 2.567|round(1, 'floor'), 2.511|round(1, 'ceil'), 7|round, 1234.5|round(-2), 1250|round(-2), 0.15|round(1), 2.675|round(2), -2.5|round, 5|round(1, 'ceil')
's'|round
2.5|round(1, 'x')
-3|abs, (-3)|abs, 2.5|abs, (-2.5)|abs, true|abs
's'|abs
none|default('x'), undefined_name|default('x'), ''|default('x'), ''|default('x', true), undefined_name|default, none|d('x', true), 0|default(1, boolean=true), d.missing|default('q')
undefined_name.x|default('q')
s|indent, lines|indent, lines|indent(2), lines|indent(2, true), lines|indent(2, true, true), lines|indent('> '), lines|indent(width=1, first=true), ''|indent
5|indent
html|e, html|escape, html|safe, html|forceescape, html|safe|e, html|e|e, html|safe|length, html|e is escaped, html|safe ~ '<', html|safe|upper
html|safe + '<b>', '<b>' + html|safe, (html|safe) * 2, ('<%s>'|safe) % '<', '<i>'|safe|replace('i', '<'), ('<{}>'|safe).format('&'), [html|safe]
('<'|safe).join(['&', '>'|safe])
'%s-%s'|format(1, 2), '%(a)s'|format(a=1), '%s'|format('x')
'%s'|format(1, a=2)
'one two-three four_five'|wordcount, u|wordcount
s|center(20), s|center ~ '|', 'foo bar baz qux'|truncate(9), 'foo bar baz qux'|truncate(9, true), 'foo bar baz qux'|truncate(11), 'foo bar baz qux'|truncate(11, false, '...', 0), 'foobarbazqux'|truncate(5, leeway=0)
'abc'|truncate(1)
ys|truncate, undefined_name|truncate, {}|truncate, (1, 2)|truncate(5)
range(300)|list|truncate
'x' % undefined_name, 'x' % xs, 'x' % d, 'x' % range(2)
'x' % 1
' 42 '|filesizeformat, -0.0|filesizeformat
'%s'|int(',', 'a'), 'a'.splitlines(0)
'a'.splitlines('x')
xs|sort('a')
xs|sort(1), xs|sort(true), d|dictsort(reverse=0)
'a b/c?d=é&'|urlencode, {'a b': 'c/d', 'x': 1}|urlencode, [('k', 'v w')]|urlencode, 5|urlencode
1|filesizeformat, 999|filesizeformat, 1000|filesizeformat, 1500000|filesizeformat, 1024|filesizeformat(true), 3000000000|filesizeformat(binary=true)
xs|string, d|string, 1.0|string, none|string, s|string
s|attr('upper') is callable, d|attr('b') is defined, d|attr('keys') is defined
s|nosuch
s is nosuch
(s|nosuch) if false else 'ok'
(s|nosuch) if true else 'ok'
'ok' if s is nosuch else 'no'
d|tojson, xs|tojson, s|tojson, u|tojson, html|tojson, none|tojson, true|tojson, 1.0|tojson, 1e100|tojson, ctrl|tojson, mixed|tojson
d|tojson(indent=2), []|tojson(indent=2), {}|tojson(indent=2), [[], {}]|tojson(indent=1), d|tojson(indent='--'), xs|tojson(indent=0)
u|tojson(ensure_ascii=true), d|tojson(sort_keys=true), d|tojson(separators=(',', ':')), d|tojson(indent=1, separators=(', ', ' = ')), '🙂\x7f'|tojson(true)
{1: 2, none: 3, true: 4, 1.5: 6}|tojson, (1, 2)|tojson, '1e999'|float|tojson
{(1, 2): 3}|tojson
range(3)|tojson
xs|map('string')|tojson
namespace(a=1)|tojson
d|tojson(sort_keys=true, indent=4)
none is none, none is defined, undefined_name is undefined, s is string, d is mapping, xs is sequence, xs is iterable, 1 is number, 1 is integer, 1.0 is float, true is boolean, true is integer, true is number, 1 is not string
s is iterable, s is sequence, d is sequence, 5 is iterable, none is iterable, undefined_name is iterable, undefined_name is sequence, undefined_name is callable, range is callable, (1, 2) is sequence, range(3) is sequence
true is true, 1 is true, false is false, 0 is false, none is false
3 is odd, 4 is even, 9 is divisibleby 3, 9 is divisibleby(2), -3 is odd, 2.5 is even
'a' is odd
1 is eq 1, 1 is equalto 2
1 is == 1
1 is ne(2), 1 is lt 2, 1 is gt(2), 1 is le(1), 1 is ge 2, 1 is lessthan 2, 1 is greaterthan 0
1 is in [1], 'a' is in 'abc', 5 is not in [1]
'abc' is lower, 'ABC' is upper, 'Abc' is lower, 5 is lower, 'a' is escaped, s is sameas s, none is sameas none, 1 is sameas 1.0
'upper' is filter, 'nosuch' is filter, 'odd' is test, 'nosuch' is test
1 is defined and 2 is defined, 1 is not defined or true, not 1 is defined
1 is number is number
xs is string or d is mapping, s is string and s|length > 3
x is defined(1)
1 is divisibleby
1 is divisibleby 0
-1|abs, -1 is odd, 1 + 2|string|length, 'a' ~ 'b'|upper, (1, 2)|length, [1, 2]|length * 2, 3 - -1, 2 - 1|abs
xs|length > 2 and 'a' in s or false, not xs|length == 3, s[0]|upper ~ s[1:]|upper
{'a': 1}['a'], {'a': 1}.a, {'a': {'b': 2}}.a.b, {1: 'x'}[1], {true: 'y'}[1], {1.0: 'z'}[1], {(1, 2): 3}[(1, 2)], {(1, 2): 3}[1, 2], {'a': 1, 'a': 2}
{[1]: 2}
[1, 2,], (1, 2,), {'a': 1,}, (1,), (), [], {}
[[1, [2, [3]]], {'a': [{'b': none}]}]
quote, single, [quote], [single], ['\\n\\t\\\\'], [ctrl], ['é🙂'], [html], ['\\'']
'\\x41\\u00e9\\U0001f642\\101\\q\\'\\"', 'a\\
b'
'\\é', '\\0', '\\8', "it's", 'say "x"', 'a' 'b' "c"
'\\x4'
'\\ud83d'
"unterminated
1 2
1 +
(1
1)
[1, 2
{'a' 1}
'a'.
xs[
xs[]
5.real, 5 .real, n.real, f.real, n.numerator
xs.0, d.a.c.1, rows.0.name
range(5), range(2, 8, 3), range(3)|length, range(5)[1], range(5)[-1], range(0) is true, range(5, 0, -2)|list, range(3) == range(0, 3)
range(1000000)
range(1, 2, 0)
range('a')
range()
dict(a=1, b=2), dict({'x': 1}, y=2), dict([('k', 'v')]), dict()
dict(1)
namespace(a=1).a, namespace({'b': 2}).b, namespace(a=1).zz is defined, namespace(a=1)
namespace(a=[1, 'x'], b=none)
cycler('a', 'b').next(), cycler(1).current
cycler()
joiner('|')() ~ joiner('|')()
strftime_now('%Y-%m-%d %H:%M:%S'), strftime_now('%d %b %Y'), strftime_now('%B %A %j %y %I %p %%'), strftime_now('')
strftime_now(1)
raise_exception('no: ' ~ n)
raise_exception()
raise_exception(1 / 0)
s(), 5
s.upper(1)
s.nosuch()
s.upper is defined, s.nosuch is defined, s['upper'] is callable, s['upper']()
'abc'|upper()|lower(), xs|join(d='-'), xs|join(*['+']), 'a-b'.split(*['-']), 'x'|default(**{'default_value': 1})
xs|join(sep='-')
xs|join('-', d='+')
dict(**{'a': 1}), dict(a=1, **{'b': 2})
dict(a=1, a=2)
dict(a=1, **{'a': 2})
dict(**5)
range(*[1, 4])|list, range(*(1, 4, 2))|list
lines|length, lines.split('\\n')|length, lines.splitlines(), spaces|list|length
'a' if 'x' in d else d.get('a', {}).get('c', [])[2]['x']
(d.a.c|selectattr('x', 'defined')|list), (d.a.c|select('mapping')|list)
messages[0].role == 'user', messages[0]['content'], messages[-1].role, messages|length, messages[1:] == []
messages[5].role
messages[0].get('tool_calls', []) or 'none', messages[0].tool_calls is defined and messages[0].tool_calls
loop
caller is defined
9007199254740993 == 9007199254740992.0, 9007199254740993 > 9007199254740992.0, 9007199254740993 == 9007199254740993, 1e30 > 5, -1e30 < -5, {9007199254740993: 1}[9007199254740992.0] is defined
true, True, false, False, none, None, TRUE is defined
a.b.c
xs | first | string | length
s|upper|replace('O', '0')|list|first
xs|sort|reverse|list, xs|sort|last, ys|map('lower')|unique|sort|join('')
1.5|int + 1, '3'|int * 2, '3' * 2|int
xs[n - 5], xs[n // 4], xs[-1 - 1]
s.split(' ')[-1].lower()|capitalize, (s ~ '!')|upper, (s ~ '!').endswith('!')
f == 2.5, f > 2, f|int, f|string ~ 'x', f * 2 == 5
""".strip("\n").replace("\\\nb", "\x00").split("\n")

# Whole templates: statements, white space, scopes.
TEMPLATES = [
    "{{ 1 }}\n", "{{ 1 }}\n\n", "a\r\nb\rc\n", "", "\n", "{", "{ {", "a { b } c %} }}", "{{ '{{' }}", "{{ '}}' }}{{ '%}' }}", "{{{'a': 1}['a']}}",
    "{{-1}}", "a {{- 1 -}} b", "a {{+ 1 }} b", "a\n  {{ 1 }}\n  b", "a\n  {%- if true -%}\n  b\n  {%- endif -%}\n  c",
    "{% if true %}\n  x\n{% endif %}\ny", "  {% if true %}\n  x\n  {% endif %}\n  y", "  {%+ if true %}\n  x\n  {%+ endif %}\n  y", "{% if true +%}\nx{% endif %}",
    "a  {% if true %}b{% endif %}", "\t {% if true %}b{% endif %}", "a\n\t {% if true %}\n\n b{% endif %}\n", "\u00a0{% if true %}b{% endif %}", "x\u2003{%- if true %}b{% endif %}",
    "a {# c #} b", "a\n  {# c #}\nb", "a\n  {#- c -#}\n  b", "a {#+ c +#}\nb", "{##}x", "{#-#}x", "{# a #}{# b #}\nx", "{# {{ x }} {% y %} #}z", "{# open", "{# a # } b #}c",
    "{% raw %}{{ x }}{% endraw %}", "{% raw %}\n a {% if %} \n{% endraw %}\nb", "a  {%- raw -%}  x  {%- endraw -%}  b", "  {% raw %} x\n  {% endraw %}\n y", "{% raw %}", "{% raw %} ", "{#", "{# ", "{{", "{%", "{{ 1 ", "{% if", "{%raw%}{%endraw%}x", "{% raw %}{% endraw x %}{% endraw %}",
    "{% if 0 %}a{% elif 1 %}b{% else %}c{% endif %}", "{% if 0 %}a{% elif 0 %}b{% elif '' %}d{% else %}c{% endif %}", "{% if %}a{% endif %}", "{% if 1 %}a", "{% if 1 %}a{% endfor %}", "{% endif %}", "{% else %}", "{% nosuch %}", "{% if 1: %}a{% endif %}", "{% if 1, 2 %}a{% endif %}", "{% if x is defined and x %}a{% else %}b{% endif %}",
    "{% for x in xs %}{{ x }},{% endfor %}", "{% for x in xs %}\n  {{ x }}\n{% endfor %}", "{% for x in [] %}a{% else %}b{% endfor %}", "{% for x in xs if x > 1 %}{{ x }}{{ loop.index }}{{ loop.last }}{% else %}n{% endfor %}", "{% for x in xs if x > 9 %}a{% else %}none{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k, v in d|dictsort %}{{ k }};{% endfor %}", "{% for k in d %}{{ k }}{% endfor %}", "{% for a, b in [(1, 2), [3, 4], 'xy'] %}{{ a }}{{ b }} {% endfor %}", "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "{% for (a, b) in [(1, 2)] %}{{ a }}{% endfor %}", "{% for a, b in [(1, 2, 3)] %}{% endfor %}", "{% for a, b in [(1,)] %}{% endfor %}", "{% for a, b in [1] %}{% endfor %}", "{% for a, in [(1,)] %}{{ a }}{% endfor %}",
    "{% for x in 5 %}{% endfor %}", "{% for x in none %}{% endfor %}", "{% for x in nosuch %}a{% else %}b{% endfor %}", "{% for x in 'aé🙂' %}{{ x }}|{% endfor %}", "{% for x in 1, 2, 3 %}{{ x }}{% endfor %}", "{% for x in range(3) %}{{ x }}{% endfor %}",
    "{% for x in xs %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }} {% endfor %}",
    "{% for x in xs %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {% endfor %}", "{% for x in xs %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }}{% endfor %}", "{% for x in xs %}{{ loop.cycle('a', 'b') }}{% endfor %}", "{% for x in [1, 1, 2, 2, 1] %}{{ loop.changed(x) }} {% endfor %}", "{% for x in xs %}{{ loop.nosuch is defined }}{% endfor %}", "{% for x in xs %}{{ loop }}{% endfor %}", "{% for x in xs|map('string') %}{{ loop.length }}{{ x }}{{ loop.revindex }}{% endfor %}", "{% for x in xs|select('odd') %}{{ x }}{{ loop.last }}{{ loop.nextitem }}{% endfor %}",
    "{% for x in xs %}{% for y in ys %}{{ loop.index }}{% endfor %}{{ loop.index }} {% endfor %}", "{% for x in xs %}{% set outer = loop %}{% for y in ys %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}", "{% for x in xs %}{{ loop.index }}{% else %}{{ loop is defined }}{% endfor %}", "{% for x in [] %}{% else %}{{ loop is defined }}{% endfor %}", "{{ loop is defined }}{% for x in xs if loop is defined %}{{ x }}{% endfor %}", "{% for x in xs %}{% set loop = 1 %}{% endfor %}", "{% for loop in xs %}{% endfor %}", "{% for x in xs %}{% if loop %}a{% endif %}{% endfor %}",
    "{% for x in range(9) %}{% if x == 3 %}{% break %}{% endif %}{{ x }}{% endfor %}", "{% for x in range(6) %}{% if x is odd %}{% continue %}{% endif %}{{ x }}{% endfor %}", "{% for x in xs %}{% break %}{% else %}e{% endfor %}", "{% for x in xs %}{% continue %}{% else %}e{% endfor %}", "{% for x in xs %}{{ x }}{% if loop.index == 2 %}{% break %}{% endif %}{% else %}e{% endfor %}", "{% break %}", "{% for x in xs %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}", "{% for x in xs %}{% else %}{% break %}{% endfor %}", "{% for y in xs %}{% for x in [] %}{% else %}{% break %}{% endfor %}{{ y }}{% endfor %}", "{% for x in xs %}{% set q %}{{ x }}{% break %}{% endset %}{% endfor %}{{ q }}", "{% for x in xs %}{% filter upper %}a{% continue %}{% endfilter %}{% endfor %}z", "{% for x in xs %}{% for y in xs %}{% if y == 1 %}{% break %}{% endif %}{{ x }}{{ y }} {% endfor %}{% endfor %}",
    "{% for r in [{'n': 1, 'c': [{'n': 2, 'c': [{'n': 3}]}]}, {'n': 4}] recursive %}{{ r.n }}@{{ loop.depth }}{% if r.c %}({{ loop(r.c) }}){% endif %}{% endfor %}", "{% for r in [[1, [2]], []] recursive %}{{ loop.depth0 }}{% if r is sequence %}[{{ loop(r) }}]{% endif %}{% else %}empty{% endfor %}", "{% for r in xs %}{{ loop(xs) }}{% endfor %}", "{% for r in [[3, 1]] if r recursive %}{% if r is iterable %}{{ loop(r) }}{% else %}{{ r }}{% endif %}{% endfor %}",
    "{% set x = 1 %}{{ x }}", "{% set x, y = 1, 2 %}{{ x }}{{ y }}", "{% set x = 1, 2 %}{{ x }}", "{% set (x, y) = [1, 2] %}{{ y }}", "{% set x, (y, w) = 1, (2, 3) %}{{ w }}", "{% set x, y = 1 %}", "{% set x, y = [1, 2, 3] %}", "{% set x = %}", "{% set 1 = 2 %}", "{% set none = 2 %}", "{% set x.y = 2 %}", "{% set d.y = 2 %}", "{% set d['y'] = 2 %}", "{% set s = s ~ '!' %}{{ s }}",
    "{% set x = 1 %}{% for i in xs %}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}", "{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}", "{% if false %}{% set x = 2 %}{% endif %}{{ x is defined }}", "{% if false %}{% set s = 2 %}{% endif %}{{ s }}", "{% for i in xs %}{% set q = i %}{% endfor %}{{ q is defined }}", "{% for i in xs %}{{ q is defined }}{% set q = i %}{% endfor %}", "{% for i in xs %}{% if loop.first %}{% set q = 'a' %}{% endif %}{{ q }}|{% endfor %}", "{% set q = 0 %}{% for i in xs %}{% if loop.first %}{% set q = 'a' %}{% endif %}{{ q }}|{% endfor %}{{ q }}", "{% for i in xs %}{{ i }}{% endfor %}{{ i is defined }}", "{% set i = 9 %}{% for i in xs %}{% endfor %}{{ i }}", "{% for s in xs %}{{ s }}{% endfor %}{{ s }}", "{% for i in xs %}{{ s }}{% set s = i %}{{ s }} {% endfor %}", "{% for i in xs %}{{ s is defined }}{% endfor %}{% set s = 1 %}", "{% macro f() %}{{ s is defined }}{% endmacro %}{{ f() }}{% set s = 1 %}{{ f() }}", "{% set n = n + 1 %}{% set n = n * 2 %}{{ n }}", "{% if t %}{% if false %}{% set k = 1 %}{% else %}{% set k = 2 %}{% endif %}{% endif %}{{ k }}", "{% if false %}{% elif true %}{% set k = 3 %}{% endif %}{{ k }}{{ n }}", "{% for i in xs %}{% for j in xs %}{% set q = j %}{% endfor %}{{ q is defined }}{% endfor %}",
    "{% set ns = namespace(x=0) %}{% for i in xs %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}", "{% set ns = namespace() %}{% set ns.a = 1 %}{% set ns.b = ns.a + 1 %}{{ ns.b }}{{ ns.c is defined }}", "{% set ns = namespace(a=1) %}{{ ns['a'] }}{{ ns.a }}", "{% set ns = namespace() %}{% set ns.a, ns.b = 1, 2 %}{{ ns.a }}{{ ns.b }}", "{% set ns = namespace() %}{% set ns.x %}hi {{ n }}{% endset %}{{ ns.x }}", "{% set ns = namespace(found=false) %}{% for i in xs if not ns.found %}{{ i }}{% set ns.found = true %}{% endfor %}", "{% set ns = namespace(v=1) %}{% for i in xs if i != ns.v %}{{ i }}{% set ns.v = 2 %}{% endfor %}", "{% set nosuch.x = 1 %}", "{% set ns = namespace(a=1) %}{% set ns2 = ns %}{% set ns2.a = 5 %}{{ ns.a }}", "{% for k in namespace(a=1) %}{% endfor %}", "{% set ns = namespace(items=[]) %}{% set ns.items = ns.items + [1] %}{{ ns.items }}",
    "{% set x %}a{{ n }}b{% endset %}{{ x }}|{{ x|length }}", "{% set x | upper %}abc{% endset %}{{ x }}", "{% set x | replace('a', 'z') | upper %}abc{% endset %}{{ x }}", "{% set x %}\n  a\n{% endset %}[{{ x }}]", "{% set x %}{% set y = 1 %}{{ y }}{% endset %}{{ y is defined }}", "{% set x %}", "{% set x %}<{% endset %}{{ x ~ '<' }}",
    "{% macro m(a, b=2) %}{{ a }}-{{ b }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(b=5, a=4) }} {{ m() }}", "{% macro m(a) %}{{ a is defined }}{% endmacro %}{{ m() }}{{ m(none) }}", "{% macro m(a, b=a) %}{{ b }}{% endmacro %}{{ m(7) }}", "{% macro m(a=b, b=1) %}{{ a }}{{ b }}{% endmacro %}{{ m() }}", "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, k=3) }}", "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{% endmacro %}{{ m(b=1) }}", "{% macro m(a) %}{% endmacro %}{{ m(1, a=2) }}", "{% macro m(a, a) %}{% endmacro %}", "{% macro m(a=1, b) %}{% endmacro %}", "{% macro m() %}  x  {% endmacro %}[{{ m() }}]{{ m()|length }}", "{% macro m() -%}\n  x\n{%- endmacro %}[{{ m() }}]", "{{ m is defined }}{% macro m() %}{% endmacro %}{{ m is defined }}{{ m is callable }}", "{{ m() }}{% macro m() %}{% endmacro %}", "{% macro m(n) %}{{ n }}{% if n > 0 %}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(5) }}", "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}", "{% macro m() %}{{ n }}{% endmacro %}{% set n = 1 %}{{ m() }}{% set n = 2 %}{{ m() }}", "{% macro m() %}{% set n = 99 %}{{ n }}{% endmacro %}{{ m() }}{{ n }}", "{% for i in xs %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}", "{% set ns = namespace() %}{% for i in xs %}{% if ns.m %}{{ ns.m() }}{% endif %}{% macro m() %}{{ i }}{% endmacro %}{% set ns.m = m %}{{ ns.m() }}{% endfor %}", "{% macro m(x) %}{% for i in x %}{% if i is iterable %}[{{ m(i) }}]{% else %}{{ i }}{% endif %}{% endfor %}{% endmacro %}{{ m([1, [2, [3]]]) }}", "{{ m.name }}{% macro m(a, b) %}{% endmacro %}{{ m.name }}{{ m.arguments }}{{ m }}", "{% macro m(a, b) %}{% endmacro %}{{ m.name }}{{ m.arguments }}{{ m }}{{ m.catch_kwargs }}{{ m.caller }}", "{% macro m(s) %}{{ s|upper }}{% endmacro %}{{ ['a', 'b']|map('upper')|join }}{{ m('x') ~ m('y') }}", "{% macro f(a) %}{{ a.b }}{% endmacro %}{{ f({}) }}|{{ f() }}", "{% if true %}{% macro m() %}in{% endmacro %}{% endif %}{{ m() }}", "{% macro true() %}{% endmacro %}",
    "{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}in{{ n }}{% endcall %}", "{% macro m() %}<{{ caller(1, 2) }}>{% endmacro %}{% call(a, b) m() %}{{ a + b }}{% endcall %}", "{% macro m() %}x{% endmacro %}{% call m() %}in{% endcall %}", "{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}", "{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}", "{% macro m(caller) %}{{ caller() }}{% endmacro %}", "{% macro m(a, caller=none) %}{{ a }}{% if caller %}{{ caller() }}{% endif %}{% endmacro %}{{ m(1) }}{% call m(2) %}c{% endcall %}", "{% call 5 %}{% endcall %}", "{% call s.upper() %}{% endcall %}", "{% macro m(x) %}{{ x }}{{ caller() }}{% endmacro %}{% for i in xs %}{% call m(i) %}({{ i }}{{ loop.index }}){% endcall %}{% endfor %}", "{% macro o() %}[{{ caller() }}]{% endmacro %}{% call o() %}{% call o() %}x{% endcall %}{% endcall %}",
    "{% filter upper %}abc{{ s }}{% endfilter %}", "{% filter replace('a', 'b') | upper %}aXa{% endfilter %}", "{% filter trim %}\n  a\n{% endfilter %}|", "{% filter nosuch %}{% endfilter %}", "{% filter indent(width=2) %}a\nb{% endfilter %}", "{% filter upper %}{% set q = 1 %}{{ q }}{% endfilter %}{{ q is defined }}", "{% filter upper %}{% filter replace('A', 'c') %}aA{% endfilter %}{% endfilter %}",
    "{% with %}{% set q = 1 %}{{ q }}{% endwith %}{{ q is defined }}", "{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a is defined }}", "{% with n = n + 1, k = n %}{{ n }}{{ k }}{% endwith %}{{ n }}", "{% with a, b = (1, 2) %}{{ a }}{{ b }}{% endwith %}", "{% set a = 5 %}{% with %}{% set a = 6 %}{{ a }}{% endwith %}{{ a }}",
    "{% generation %}a{{ n }}{% endgeneration %}b", "{% for i in xs %}{% generation %}{{ i }}{{ loop.index }}{% set q = i %}{% endgeneration %}{{ q is defined }}{% endfor %}", "a\n  {%- generation %}\n  b\n  {%- endgeneration %}\nc", "{% for i in xs %}{% generation %}{% break %}{% endgeneration %}{% endfor %}",
    "{% print 1, 'a' %}", "{% do xs %}", "{% include 'x' %}", "{% import 'x' as y %}", "{% extends 'x' %}", "{% from 'x' import y %}",
    "{{ 1 }}{{ raise_exception('bad') }}", "{% if false %}{{ raise_exception('bad') }}{% endif %}ok", "{{ raise_exception('é') if n == 7 }}",
    "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}{{ c.next() }}", "{% set j = joiner(', ') %}{% for x in xs %}{{ j() }}{{ x }}{% endfor %}", "{% set g = xs|map('string') %}{{ g|list }}{{ g|list }}", "{% set g = xs|select('odd') %}{% for x in g %}{{ x }}{% endfor %}{% for x in g %}{{ x }}{% else %}gone{% endfor %}", "{% set g = 5|map('upper') %}ok", "{% set g = none|map('upper') %}{{ g|list }}",
    "{{ xs }}{% set xs = xs + [9] %}{{ xs }}", "{{ 'a' if n }}{{ 'a' if not n }}", "{{ (1, 2)|join }}{{ 1, }}", "{% set x = [1, 2] %}{{ x[0] }}{{ x.0 }}", "{{ {'a': xs}.a[0] }}", "{{ [1,2,3]|sum - 1 }}", "{{ 'a'\n  ~ 'b' }}", "{{ xs |\n join(',') }}", "{%if 1%}x{%endif%}", "{%-if 1-%} x {%-endif-%}", "{{1}}{{-2}}{{ -3 -}} x", "{{ '\\n' }}\n{{ '\n' }}", "{{ \"a\\\\nb\" }}", "{{ 'tab\\there' }}", "{{ é }}{% set é = 1 %}{{ é }}", "{{ 1a }}", "{{ a€ }}", "{{ 'a' ! 'b' }}", "{{ a; b }}", "{{ $ }}", "{% set x = {'a': 1} %}{{ x.a }}{% set x = dict(x, b=2) %}{{ x }}", "{{ 'a' 'b' ~ 'c' }}", "{% for m in messages %}{{ '<|' + m['role'] + '|>\\n' + m['content'] | trim + '<|end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'x' }}{% endif %}", "{% set a = b = 1 %}", "{{ not }}", "{{ is }}", "{{ in }}", "{{ if }}", "{{ x.if }}", "{{ {'if': 1}.if }}{{ {'in': 2}.in }}", "{{ d.items }}"[:0] + "{{ 0012 }}", "{{ 00 }}", "{{ 1. }}", "{{ 1.e5 }}", "{{ 1e5 }}{{ 1E-2 }}", "{{ .5 }}", "{{ 5..real }}", "{{ 12345678901234567890 }}"[:0] + "{{ 0x }}",
    "{{ (((((((((((1))))))))))) }}", "{{ [[[[[[1]]]]]] }}", "{{ 1 if 1 else 2 if 2 else 3 if 3 else 4 }}", "{{ not not not true }}", "{{ - - 1 }}{{ -+1 }}{{ +-1 }}", "{{ 2 * -3 }}{{ 2 ** -1 ** 2 }}", "{{ 'x' ~ -1 }}{{ 'x' ~ not 1 }}"[:22],
]

CASES: list[str] = ["{{ " + e.replace("\x00", "\\\nb") + " }}" for e in EXPRESSIONS] + TEMPLATES
