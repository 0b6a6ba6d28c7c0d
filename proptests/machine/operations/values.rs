//! Operations on values: equality and hashing, sets, text, integers.

use segheap::{Bignum, Kind, Pair, Str, TextPart};

use super::{Table, show};
use crate::machine::Effect::Allocates;
use crate::machine::Takes::{Integer, Of, Text, Value};
use crate::machine::{Effect, Takes};

pub fn rows(t: &mut Table) {
    values(t);
    texts(t);
    integers(t);
}

fn values(t: &mut Table) {
    t.row("Heap::key_eq", &[Value, Value], &[], |m, c| show(m.heap.key_eq(c.cell(0), c.cell(1))?));
    t.row("Heap::hash", &[Value], &[], |m, c| show(m.heap.hash(c.cell(0))?));
    t.row("Heap::deep_eq", &[Value, Value], &[], |m, c| {
        show(m.heap.deep_eq(c.cell(0), c.cell(1))?)
    });
    t.row("Heap::alloc_value", &[Value, Value], &[Allocates(Kind::PAIR)], |m, c| {
        let value = m.heap.alloc_value(Pair::of(c.cell(0), c.cell(1)))?;
        m.keep(value)
    });
    t.row("Heap::display", &[Value], &[], |m, c| Ok(m.heap.display(c.cell(0)).to_string()));
    t.row("DisplayValue::quoted", &[Value], &[], |m, c| {
        Ok(m.heap.display(c.cell(0)).quoted().to_string())
    });
    t.row("DisplayValue::style", &[Value], &[], |m, c| {
        let shown = m.heap.display(c.cell(0)).style(segheap::PlainStyle).to_string();
        assert_eq!(shown, m.heap.display(c.cell(0)).to_string());
        Ok(shown)
    });
    t.row("DisplayValue::limit", &[Value], &[], |m, c| {
        Ok(m.heap.display(c.cell(0)).limit(c.index()).to_string())
    });
    t.row("Heap::contains", &[Value], &[], |m, c| show(m.heap.contains(c.cell(0))));
    t.row("Heap::upgrade", &[Value], &[], |m, c| show(m.heap.upgrade(c.cell(0))));
    t.row("Heap::union", &[Of(Kind::SET), Of(Kind::SET)], &[Allocates(Kind::SET)], |m, c| {
        let made = m.heap.union(c.cell(0), c.cell(1))?;
        m.keep(made)
    });
    t.row(
        "Heap::intersection",
        &[Of(Kind::SET), Of(Kind::SET)],
        &[Allocates(Kind::SET)],
        |m, c| {
            let made = m.heap.intersection(c.cell(0), c.cell(1))?;
            m.keep(made)
        },
    );
    t.row("Heap::difference", &[Of(Kind::SET), Of(Kind::SET)], &[Allocates(Kind::SET)], |m, c| {
        let made = m.heap.difference(c.cell(0), c.cell(1))?;
        m.keep(made)
    });
}

fn texts(t: &mut Table) {
    const MAKES: &[Effect] = &[Allocates(Kind::STR)];
    t.row("Heap::string", &[], MAKES, |m, c| {
        let text = m.heap.string(&c.text())?;
        m.keep(text)
    });
    t.row("Heap::text", &[Text], &[], |m, c| show(m.heap.text(c.cell(0))?));
    t.row("Heap::intern", &[], MAKES, |m, c| {
        let symbol = m.heap.intern(&c.text())?;
        m.keep(symbol)
    });
    t.row("Heap::intern_text", &[Text], MAKES, |m, c| {
        let symbol = m.heap.intern_text(c.cell(0))?;
        m.keep(symbol)
    });
    t.row("Heap::is_symbol", &[Takes::Value], &[], |m, c| show(m.heap.is_symbol(c.cell(0))));
    t.row("Heap::concat", &[Text, Text], MAKES, |m, c| {
        let range = 0..c.small() % 4;
        let text = c.text();
        let pieces =
            [TextPart::Whole(c.cell(0)), TextPart::Str(&text), TextPart::Range(c.cell(1), range)];
        let text = m.heap.concat(&pieces)?;
        m.keep(text)
    });
    t.row("Heap::append_text", &[Text, Text], MAKES, |m, c| {
        let text = c.text();
        let part = match c.small() % 3 {
            0 => TextPart::Whole(c.cell(1)),
            1 => TextPart::Range(c.cell(1), 0..c.small() % 4),
            _ => TextPart::Str(&text),
        };
        let text = m.heap.append_text(c.cell(0), part)?;
        m.keep(text)
    });
    t.row("Heap::join", &[Of(Kind::LIST)], MAKES, |m, c| {
        let text = m.heap.join(c.cell(0), c.range(), &c.text())?;
        m.keep(text)
    });
    t.row("Heap::text_eq", &[Text, Text], &[], |m, c| show(m.heap.text_eq(c.cell(0), c.cell(1))?));
    t.row("Heap::text_starts_with", &[Text, Text], &[], |m, c| {
        show(m.heap.text_starts_with(c.cell(0), c.cell(1))?)
    });
    t.row("Heap::text_ends_with", &[Text, Text], &[], |m, c| {
        show(m.heap.text_ends_with(c.cell(0), c.cell(1))?)
    });
    t.row("Heap::text_trim", &[Text], MAKES, |m, c| {
        let text = m.heap.text_trim(c.cell(0))?;
        m.keep(text)
    });
    t.row("Heap::text_replace", &[Text, Text, Text], MAKES, |m, c| {
        let text = m.heap.text_replace(c.cell(0), c.cell(1), c.cell(2))?;
        m.keep(text)
    });
    t.row("Heap::text_repeat", &[Text], MAKES, |m, c| {
        let text = m.heap.text_repeat(c.cell(0), c.index())?;
        m.keep(text)
    });
    t.row("Heap::text_to_lowercase", &[Text], MAKES, |m, c| {
        let text = m.heap.text_to_lowercase(c.cell(0))?;
        m.keep(text)
    });
    t.row("Heap::text_to_uppercase", &[Text], MAKES, |m, c| {
        let text = m.heap.text_to_uppercase(c.cell(0))?;
        m.keep(text)
    });
    t.row(
        "Heap::text_split",
        &[Text, Text],
        &[Allocates(Kind::STR), Allocates(Kind::LIST)],
        |m, c| {
            let list = m.heap.text_split(c.cell(0), c.cell(1))?;
            for part in m.heap.get(list)?.as_slice().to_vec() {
                m.keep(part)?;
            }
            m.keep(list)
        },
    );
    t.row("Heap::convert_chars", &[Of(Kind::STR)], &[Allocates(Kind::LIST)], |m, c| {
        let list = m.heap.convert_chars(c.cell(0), c.range())?;
        m.keep(list)
    });
    t.row("View<Str>::text", &[Of(Kind::STR)], &[], |m, c| {
        show(m.heap.get::<Str>(c.cell(0))?.text())
    });
    t.row("View<Str>::to_str", &[Of(Kind::STR)], &[], |m, c| {
        show(m.heap.get::<Str>(c.cell(0))?.to_str()?)
    });
    t.row("View<Str>::substr", &[Of(Kind::STR)], &[], |m, c| {
        show(m.heap.get::<Str>(c.cell(0))?.substr(c.range())?)
    });
}

fn integers(t: &mut Table) {
    const MAKES: &[Effect] = &[Allocates(Kind::BIGNUM)];
    const TWO: &[Takes] = &[Integer, Integer];
    t.row("Heap::int", &[], MAKES, |m, c| {
        let int = m.heap.int(c.int())?;
        m.keep(int)
    });
    t.row("Heap::int128", &[], MAKES, |m, c| {
        let int = m.heap.int128(i128::from(c.int()) << c.small())?;
        m.keep(int)
    });
    t.row("Heap::parse_int", &[], MAKES, |m, c| {
        let sign = ["", "-", "+", " "][c.small() % 4];
        let text = format!("{sign}{}", "123456789".repeat(c.small() / 4));
        let int = m.heap.parse_int(&text)?;
        m.keep(int)
    });
    t.row("Heap::as_int", &[Integer], &[], |m, c| show(m.heap.as_int(c.cell(0))?));
    t.row("Heap::cmp_int", TWO, &[], |m, c| show(m.heap.cmp_int(c.cell(0), c.cell(1))?));
    t.row("Heap::add", TWO, MAKES, |m, c| {
        let int = m.heap.add(c.cell(0), c.cell(1))?;
        m.keep(int)
    });
    t.row("Heap::sub", TWO, MAKES, |m, c| {
        let int = m.heap.sub(c.cell(0), c.cell(1))?;
        m.keep(int)
    });
    t.row("Heap::mul", TWO, MAKES, |m, c| {
        let int = m.heap.mul(c.cell(0), c.cell(1))?;
        m.keep(int)
    });
    t.row("Heap::div", TWO, MAKES, |m, c| {
        let int = m.heap.div(c.cell(0), c.cell(1))?;
        m.keep(int)
    });
    t.row("Heap::rem", TWO, MAKES, |m, c| {
        let int = m.heap.rem(c.cell(0), c.cell(1))?;
        m.keep(int)
    });
    t.row("Heap::pow", TWO, MAKES, |m, c| {
        let int = m.heap.pow(c.cell(0), c.cell(1))?;
        m.keep(int)
    });
    t.row("Heap::wrapping_add", TWO, MAKES, |m, c| {
        let int = m.heap.wrapping_add(c.cell(0), c.cell(1))?;
        m.keep(int)
    });
    t.row("Heap::wrapping_sub", TWO, MAKES, |m, c| {
        let int = m.heap.wrapping_sub(c.cell(0), c.cell(1))?;
        m.keep(int)
    });
    t.row("Heap::wrapping_mul", TWO, MAKES, |m, c| {
        let int = m.heap.wrapping_mul(c.cell(0), c.cell(1))?;
        m.keep(int)
    });
    t.row("Heap::div_floor", TWO, MAKES, |m, c| {
        let int = m.heap.div_floor(c.cell(0), c.cell(1))?;
        m.keep(int)
    });
    t.row("Heap::mod_floor", TWO, MAKES, |m, c| {
        let int = m.heap.mod_floor(c.cell(0), c.cell(1))?;
        m.keep(int)
    });
    t.row("Heap::gcd", TWO, MAKES, |m, c| {
        let int = m.heap.gcd(c.cell(0), c.cell(1))?;
        m.keep(int)
    });
    t.row("Heap::bitand", TWO, MAKES, |m, c| {
        let int = m.heap.bitand(c.cell(0), c.cell(1))?;
        m.keep(int)
    });
    t.row("Heap::bitor", TWO, MAKES, |m, c| {
        let int = m.heap.bitor(c.cell(0), c.cell(1))?;
        m.keep(int)
    });
    t.row("Heap::bitxor", TWO, MAKES, |m, c| {
        let int = m.heap.bitxor(c.cell(0), c.cell(1))?;
        m.keep(int)
    });
    t.row("Heap::shl", TWO, MAKES, |m, c| {
        let int = m.heap.shl(c.cell(0), c.cell(1))?;
        m.keep(int)
    });
    t.row("Heap::shr", TWO, MAKES, |m, c| {
        let int = m.heap.shr(c.cell(0), c.cell(1))?;
        m.keep(int)
    });
    t.row("Heap::div_rem", TWO, MAKES, |m, c| {
        let (quotient, rest) = m.heap.div_rem(c.cell(0), c.cell(1))?;
        Ok(format!("{} {}", m.keep(quotient)?, m.keep(rest)?))
    });
    t.row("Heap::div_mod_floor", TWO, MAKES, |m, c| {
        let (quotient, rest) = m.heap.div_mod_floor(c.cell(0), c.cell(1))?;
        Ok(format!("{} {}", m.keep(quotient)?, m.keep(rest)?))
    });
    t.row("Heap::modpow", &[Integer, Integer, Integer], MAKES, |m, c| {
        let int = m.heap.modpow(c.cell(0), c.cell(1), c.cell(2))?;
        m.keep(int)
    });
    t.row("Heap::not", &[Integer], MAKES, |m, c| {
        let int = m.heap.not(c.cell(0))?;
        m.keep(int)
    });
    t.row("Heap::int_from_str_radix", &[], MAKES, |m, c| {
        let text = format!("{}{}", ["", "-"][c.index() % 2], "12abcxyz".repeat(c.small()));
        let int = m.heap.int_from_str_radix(&text, 34 + c.small() as u32 % 4)?;
        m.keep(int)
    });
    t.row("Heap::int_from_text", &[Text], MAKES, |m, c| {
        let int = m.heap.int_from_text(c.cell(0), 36 - 2 * c.small() as u32)?;
        m.keep(int)
    });
    t.row("Heap::int_to_text", &[Integer], &[Allocates(Kind::STR)], |m, c| {
        let text = m.heap.int_to_text(c.cell(0), 36 - 2 * c.small() as u32)?;
        m.keep(text)
    });
    t.row("Heap::neg", &[Integer], MAKES, |m, c| {
        let int = m.heap.neg(c.cell(0))?;
        m.keep(int)
    });
    t.row("Heap::cmp_num", &[Value, Value], &[], |m, c| {
        show(m.heap.cmp_num(c.cell(0), c.cell(1))?)
    });
    t.row("Heap::as_f64", &[Value], &[], |m, c| show(m.heap.as_f64(c.cell(0))?));
    t.row("Heap::int_from_f64", &[], MAKES, |m, c| {
        let int = m.heap.int_from_f64(c.float())?;
        m.keep(int)
    });
    t.row("Heap::number_to_text", &[Value], &[Allocates(Kind::STR)], |m, c| {
        let text = m.heap.number_to_text(c.cell(0))?;
        m.keep(text)
    });
    t.row("Heap::number_from_text", &[Text], MAKES, |m, c| {
        let number = m.heap.number_from_text(c.cell(0))?;
        m.keep(number)
    });
    const BIG: &[Takes] = &[Of(Kind::BIGNUM)];
    t.row("View<Bignum>::is_negative", BIG, &[], |m, c| {
        show(m.heap.get::<Bignum>(c.cell(0))?.is_negative())
    });
    t.row("View<Bignum>::limbs", BIG, &[], |m, c| show(m.heap.get::<Bignum>(c.cell(0))?.limbs()));
    t.row("View<Bignum>::to_i64", BIG, &[], |m, c| show(m.heap.get::<Bignum>(c.cell(0))?.to_i64()));
    t.row("View<Bignum>::to_i128", BIG, &[], |m, c| {
        show(m.heap.get::<Bignum>(c.cell(0))?.to_i128())
    });
}
