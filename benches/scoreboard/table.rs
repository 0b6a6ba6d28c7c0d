//! What segheap is held to: the only place for targets.

/// One line of the scoreboard: a contest, whom segheap meets in it, and the ratio
/// of costs, segheap to peer, that counts as held.
pub(crate) struct Row {
    pub(crate) contest: &'static str,
    pub(crate) peer: Peer,
    target: [f64; 3],
}

#[derive(Clone, Copy)]
pub(crate) enum Peer {
    Contestant(&'static str),
    /// A cost that segheap may not pass, for one operation.
    Limit(f64),
}

pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) rows: &'static [Row],
}

const fn row(contest: &'static str, peer: &'static str, target: f64) -> Row {
    simd(contest, peer, [target; 3])
}

/// With other targets on machines with AVX-512, with AVX2, and on all others.
const fn simd(contest: &'static str, peer: &'static str, target: [f64; 3]) -> Row {
    Row { contest, peer: Peer::Contestant(peer), target }
}

const fn limit(contest: &'static str, limit: f64) -> Row {
    Row { contest, peer: Peer::Limit(limit), target: [1.00; 3] }
}

pub(crate) const TABLE: [Section; 7] = [
    Section {
        name: "Access",
        rows: &[
            row("sum of a view, 1M", "slice", 1.00),
            row("get in a loop over one list", "Vec", 1.20),
            row("get, sequential, every check forced", "slotmap", 0.95),
            row("get, random, 1,000 lists of 8", "Vec of Vec", 1.30),
            row("get, random, 1,000 lists of 8", "slotmap", 1.05),
            row("get, random, 100,000 lists of 8", "Vec of Vec", 0.90),
            row("get, dependent chase, 100,000 lists of 8", "Vec of Vec", 0.90),
            row("get, through a range hint, random", "checked get", 0.80),
            row("set, random, 1,000 lists of 8", "Vec of Vec", 1.30),
            row("set, random, 100,000 lists of 8", "Vec of Vec", 1.10),
            row("push 1M to one list", "Vec", 1.60),
            row("62,500 lists to 16, one after the other", "Vec of Vec", 0.75),
            row("62,500 lists to 16, in turns", "Vec of Vec", 0.90),
            row("1,000 lists to 1,000, in turns", "Vec of Vec", 1.60),
            row("read and write a field, 1,000 records", "Vec of Box", 2.50),
        ],
    },
    Section {
        name: "Lives",
        rows: &[
            row("objects of 16 bytes, warm", "slotmap", 0.55),
            row("1M objects of 16 bytes, fresh process", "slotmap", 0.55),
            row("1M objects of 16 bytes, resident", "slotmap", 0.55),
            limit("1M objects of 16 bytes, resident", 33.0),
            limit("1M objects of 16 bytes, as usage() tells", 33.0),
            row("text of 5 bytes, alloc", "Box of str", 0.55),
            row("text of 16 bytes, alloc", "Box of str", 0.55),
            row("text of 16 bytes, alloc and free", "Box of str", 0.60),
            row("text of 16 bytes, alloc all, free all", "Box of str", 0.60),
            row("churn of 16 to 128 bytes, 100,000 live", "Vec of Vec", 0.60),
            row("churn of 16 to 128 bytes, 100,000 live", "slotmap", 0.45),
            row("churn of 16 to 128 bytes, 100,000 live", "thunderdome", 0.45),
            row("a frame with four small objects", "four Box", 0.80),
            row("a frame with 1,000 small objects", "Box", 0.80),
            row("10,000 empty heaps", "slotmap", 2.00),
            row("10,000 empty heaps", "12 slotmaps", 1.00),
            limit("10,000 empty heaps, bytes each", 2_048.0),
        ],
    },
    Section {
        name: "Copies",
        rows: &[
            row("bytes to text, 64 B", "simdutf8 + String", 0.75),
            row("bytes to text, 4 KiB", "simdutf8 + copy", 1.08),
            row("bytes to text, 1 MiB", "simdutf8 + copy", 0.85),
            row("bytes to text, 4 KiB, mixed", "simdutf8 + copy", 1.08),
            row("bytes to bytes, 64 B", "copy", 3.00),
            row("bytes to bytes, 4 KiB", "copy", 1.05),
            row("bytes to bytes, 1 MiB", "copy", 1.02),
            row("texts of 16 B to a builder", "Vec", 2.00),
            row("concat of two texts of 16 bytes", "String", 1.00),
            row("fill 4,096 bytes", "slice", 1.20),
        ],
    },
    Section {
        name: "Conversions",
        rows: &[
            simd("list to bytes, new, 4,096", "copy", [0.75, 2.00, 3.00]),
            simd("bytes to list, new, 4,096", "copy", [0.75, 2.00, 3.00]),
            simd("list to i64, new, 4,096", "copy", [1.60, 3.00, 4.00]),
            simd("i64 to list, new, 4,096", "copy", [1.60, 3.00, 4.00]),
            simd("list to f64, new, 4,096", "copy", [1.60, 3.00, 4.00]),
            simd("f64 to list, new, 4,096", "copy", [1.60, 3.00, 4.00]),
            row("list to i64, new, 1M", "copy", 1.10),
            row("i64 to list, new, 1M", "copy", 1.10),
            row("list to f64, new, 1M", "copy", 1.10),
            row("f64 to list, new, 1M", "copy", 1.10),
            row("list to i64, existing, 4,096", "copy", 2.00),
            row("i64 to list, existing, 4,096", "copy", 2.00),
            row("list to f64, existing, 4,096", "copy", 2.00),
            row("f64 to list, existing, 4,096", "copy", 2.00),
            row("list to i64, existing, 1M", "copy", 1.60),
            row("i64 to list, existing, 1M", "copy", 1.60),
            row("list to f64, existing, 1M", "copy", 1.60),
            row("f64 to list, existing, 1M", "copy", 1.60),
            row("list to bytes, existing, 4,096", "loop", 0.10),
            row("bytes to list, existing, 4,096", "loop", 0.10),
            row("list to i64, existing, 4,096", "loop", 0.10),
            row("i64 to list, existing, 4,096", "loop", 0.10),
            row("list to f64, existing, 4,096", "loop", 0.10),
            row("f64 to list, existing, 4,096", "loop", 0.10),
        ],
    },
    Section {
        name: "Maps and whole values",
        rows: &[
            row("map of i64, fill, 10,000", "indexmap", 1.10),
            row("map of i64, fill, 10,000", "hashbrown", 1.40),
            row("map of i64, fill, 1M", "indexmap", 1.10),
            row("map of i64, fill, 1M", "hashbrown", 1.40),
            row("map of i64, look up, 10,000", "indexmap", 1.10),
            row("map of i64, look up, 10,000", "hashbrown", 1.40),
            row("map of i64, look up, 1M", "indexmap", 1.10),
            row("map of i64, look up, 1M", "hashbrown", 1.40),
            row("map of i64, look up, 10,000, default hashers", "indexmap", 1.10),
            row("map of i64, look up, 10,000, default hashers", "hashbrown", 1.40),
            row("map of i64, remove half, 10,000", "indexmap", 1.10),
            row("map of i64, iterate, 10,000", "indexmap", 1.50),
            row("map of texts, fill, 100,000", "indexmap", 0.90),
            row("map of texts, look up, 100,000", "indexmap", 0.90),
            row("1,000 records as maps of 8 texts, look up", "indexmap", 0.90),
            row("sort 10,000 integers by a comparison", "Vec", 2.00),
            row("deep_eq of 10,000 lists of 8", "Vec of Vec", 5.00),
            row("deep copy of 10,000 lists of 8", "Vec of Vec", 1.00),
            row("dot product of 4,096 f64", "loop", 0.50),
            row("find in 4,096 bytes", "position", 1.10),
        ],
    },
    Section {
        name: "Collection",
        rows: &[
            row("collect 1M lists of 8 random references", "gc-arena", 0.45),
            row("collect 20,000 lists of 8 random references", "gc-arena", 0.45),
            row("collect 200,000 lists, every other dead", "gc-arena", 0.45),
            row("binary trees of depth 14", "Box", 0.85),
            row("binary trees of depth 14", "gc-arena", 0.25),
            row("compact 100 MiB, every other object of 64 B dead", "copy", 4.00),
            row("compact 100 MiB, every other object of 4 KiB dead", "copy", 1.50),
        ],
    },
    Section {
        name: "Prices of guarantees",
        rows: &[
            row("price of handles: 10,000 gets", "without", 2.50),
            row("price of UTF-8: 4 KiB into a new object", "without", 2.00),
            row("price of all or nothing: 4,096 numbers", "without", 1.50),
            row("price of separate arenas: copy of 4 KiB", "without", 1.20),
            row("price of limits: 1,000 pairs", "without", 1.05),
            row("price of a region: 1,000 pairs", "without", 2.00),
        ],
    },
];

/// The rows that README.md shows.
pub(crate) const FIRST: [(&str, &str); 5] = [
    ("get, random, 100,000 lists of 8", "Vec of Vec"),
    ("1M objects of 16 bytes, fresh process", "slotmap"),
    ("bytes to text, 1 MiB", "simdutf8 + copy"),
    ("map of texts, look up, 100,000", "indexmap"),
    ("collect 1M lists of 8 random references", "gc-arena"),
];

impl Row {
    /// On this machine.
    pub(crate) fn target(&self) -> f64 {
        self.target[simd_width()]
    }
}

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::Contestant(name) => name,
            Peer::Limit(_) => "limit",
        }
    }
}

pub(crate) fn simd_name() -> &'static str {
    ["AVX-512", "AVX2", "neither AVX-512 nor AVX2"][simd_width()]
}

#[cfg(target_arch = "x86_64")]
fn simd_width() -> usize {
    if is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vl") {
        0
    } else if is_x86_feature_detected!("avx2") {
        1
    } else {
        2
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn simd_width() -> usize {
    2
}
