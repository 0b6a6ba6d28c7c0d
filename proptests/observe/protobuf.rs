//! A decoder of protocol buffers, and of the part of pprof's format that profiles use.

use std::collections::BTreeMap;

/// A field of a message: a number, or bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    Number(u64),
    Bytes(Vec<u8>),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let (mut number, mut shift) = (0_u64, 0);
    loop {
        let (first, rest) = bytes.split_first().expect("a whole number");
        *bytes = rest;
        number |= u64::from(first & 0x7F) << shift;
        shift += 7;
        if first & 0x80 == 0 {
            return number;
        }
    }
}

/// The fields of a message, by number.
pub fn fields(mut bytes: &[u8]) -> BTreeMap<u64, Vec<Field>> {
    let mut fields: BTreeMap<u64, Vec<Field>> = BTreeMap::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let field = match tag & 7 {
            0 => Field::Number(varint(&mut bytes)),
            2 => {
                let len = varint(&mut bytes) as usize;
                let (field, rest) = bytes.split_at(len);
                bytes = rest;
                Field::Bytes(field.to_vec())
            }
            other => panic!("wire type {other}"),
        };
        fields.entry(tag >> 3).or_default().push(field);
    }
    fields
}

impl Field {
    pub fn number(&self) -> u64 {
        match self {
            Field::Number(number) => *number,
            Field::Bytes(_) => panic!("not a number"),
        }
    }

    pub fn bytes(&self) -> &[u8] {
        match self {
            Field::Bytes(bytes) => bytes,
            Field::Number(_) => panic!("not bytes"),
        }
    }

    fn packed(&self) -> Vec<u64> {
        let (mut bytes, mut numbers) = (self.bytes(), Vec::new());
        while !bytes.is_empty() {
            numbers.push(varint(&mut bytes));
        }
        numbers
    }
}

/// The samples of a profile: the names of the frames, the innermost first, and the values.
pub fn samples(profile: &[u8]) -> Vec<(Vec<String>, Vec<u64>)> {
    let profile = fields(profile);
    let strings: Vec<String> = profile[&6]
        .iter()
        .map(|string| String::from_utf8(string.bytes().to_vec()).unwrap())
        .collect();
    assert_eq!(strings[0], "");
    let types: Vec<[&str; 2]> = profile[&1]
        .iter()
        .map(|of_type| fields(of_type.bytes()))
        .map(|of_type| [1, 2].map(|n| &*strings[of_type[&n][0].number() as usize]))
        .collect();
    assert_eq!(
        types,
        [
            ["alloc_objects", "count"],
            ["alloc_space", "bytes"],
            ["inuse_objects", "count"],
            ["inuse_space", "bytes"],
        ]
    );
    assert_eq!(strings[profile[&14][0].number() as usize], "inuse_space");
    let by_id = |field: u64| -> BTreeMap<u64, BTreeMap<u64, Vec<Field>>> {
        let messages = profile.get(&field).into_iter().flatten();
        messages.map(|it| fields(it.bytes())).map(|it| (it[&1][0].number(), it)).collect()
    };
    let (locations, functions) = (by_id(4), by_id(5));
    let name = |location: u64| {
        let line = fields(locations[&location][&4][0].bytes());
        let function = &functions[&line[&1][0].number()];
        strings[function[&2][0].number() as usize].clone()
    };
    let samples = profile.get(&2).into_iter().flatten().map(|sample| fields(sample.bytes()));
    samples
        .map(|sample| {
            (sample[&1][0].packed().into_iter().map(name).collect(), sample[&2][0].packed())
        })
        .collect()
}
