//! Rows of the scoreboard and their targets, which are nowhere else.

/// A comparison, a peer in it, and the target: the maximal ratio of costs, segheap to
/// peer.
pub(crate) struct Row {
    pub(crate) comparison: &'static str,
    pub(crate) peer: Peer,
    target: [f64; 3],
}

#[derive(Clone, Copy)]
pub(crate) enum Peer {
    Contender(&'static str),
    /// The maximal cost of one operation.
    Limit(f64),
}

pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) rows: &'static [Row],
}

const fn row(comparison: &'static str, peer: &'static str, target: f64) -> Row {
    simd(comparison, peer, [target; 3])
}

/// A row with a target for AVX-512, for AVX2, and for other machines.
const fn simd(comparison: &'static str, peer: &'static str, target: [f64; 3]) -> Row {
    Row { comparison, peer: Peer::Contender(peer), target }
}

const fn limit(comparison: &'static str, limit: f64) -> Row {
    Row { comparison, peer: Peer::Limit(limit), target: [1.00; 3] }
}

const LUA_INCREMENTAL: &str = "Lua 5.4, incremental";
const LUA_GENERATIONAL: &str = "Lua 5.4, generational";

pub(crate) const TABLE: [Section; 10] = [
    Section {
        name: "Access",
        rows: &[
            row("sum of a view, 1M", "slice", 1.00),
            row("get in a loop over one list", "Vec", 1.20),
            row("get, sequential, checks not hoisted", "slotmap", 1.25),
            row("get, random, 1,000 lists of 8", "Vec of Vec", 1.30),
            row("get, random, 1,000 lists of 8", "slotmap", 1.10),
            row("get, random, 100,000 lists of 8", "Vec of Vec", 0.90),
            row("get, random, 100,000 lists of 8", "slotmap", 1.00),
            row("get, pointer chase, 100,000 lists of 8", "Vec of Vec", 0.90),
            row("get, through a range hint, random", "checked get", 0.80),
            row("set, random, 1,000 lists of 8", "Vec of Vec", 1.30),
            row("set, random, 100,000 lists of 8", "Vec of Vec", 1.10),
            row("push 1M to one list", "Vec", 2.00),
            row("extend one list to 1M, by 64", "Vec", 1.05),
            row("push to 62,500 lists of 16, list by list", "Vec of Vec", 0.75),
            row("push to 62,500 lists of 16, round-robin", "Vec of Vec", 0.90),
            row("push to 1,000 lists of 1,000, round-robin", "Vec of Vec", 1.40),
            row("read and write a field, 1,000 records", "slotmap of Box", 1.30),
            row("read and write a field, 1,000 records", "Vec of Box", 2.50),
            row("read a field by an inline cache, 1,000 records", "slotmap of Box", 1.30),
            row("read a field by an inline cache, 1,000 records", "Vec of Box", 2.50),
            row("look for an object in a region of 80,000", "hashbrown", 1.30),
            row("look for an object in a region of 80,000", "search", 0.10),
        ],
    },
    Section {
        name: "Allocation",
        rows: &[
            row("objects of 16 bytes, warm", "slotmap", 0.55),
            row("1M objects of 16 bytes, fresh process", "slotmap", 0.55),
            row("1M objects of 16 bytes, resident", "slotmap", 0.55),
            limit("1M objects of 16 bytes, resident", 33.0),
            limit("1M objects of 16 bytes, by usage()", 33.0),
            row("text of 5 bytes, alloc", "Box of str", 0.55),
            row("text of 16 bytes, alloc", "Box of str", 0.60),
            row("text of 16 bytes, alloc and free", "Box of str", 0.60),
            row("text of 16 bytes, alloc all, free all", "Box of str", 0.60),
            row("churn of 16 to 128 bytes, 100,000 live", "Vec of Vec", 0.60),
            row("churn of 16 to 128 bytes, 100,000 live", "slotmap", 0.45),
            row("churn of 16 to 128 bytes, 100,000 live", "thunderdome", 0.45),
            row("a region with four small objects", "four Box", 0.70),
            row("a region with 1,000 small objects", "Box", 0.80),
            row("a record that grows to 8 fields", "Box", 1.30),
            row("10,000 empty heaps", "slotmap", 2.00),
            row("10,000 empty heaps", "a slotmap per kind", 1.00),
            limit("10,000 empty heaps, bytes each", 2_048.0),
        ],
    },
    Section {
        name: "Copies",
        rows: &[
            row("bytes to text, 64 B", "simdutf8 + String", 0.90),
            row("bytes to text, 4 KiB", "simdutf8 + copy", 1.08),
            row("bytes to text, 1 MiB", "simdutf8 + copy", 0.85),
            row("bytes to text, 4 KiB, mixed", "simdutf8 + copy", 1.08),
            row("bytes to bytes, 64 B", "copy", 3.00),
            row("bytes to bytes, 4 KiB", "copy", 1.05),
            row("bytes to bytes, 1 MiB", "copy", 1.02),
            row("append texts of 16 B to a builder", "Vec", 2.00),
            row("concat of two texts of 16 bytes", "String", 0.90),
            row("append a byte to a text as a value, 100,000 times", "String", 1.30),
            row("append to a list as a value, 100,000 times", "Vec", 1.30),
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
            row("map of i64, fill, 8", "indexmap", 0.60),
            row("map of i64, fill, 100", "indexmap", 0.90),
            row("map of i64, fill, 10,000", "indexmap", 1.30),
            row("map of i64, fill, 10,000", "hashbrown", 1.70),
            row("map of i64, fill, 1M", "indexmap", 0.60),
            row("map of i64, fill, 1M", "hashbrown", 1.40),
            row("map of i64, look up, 8", "indexmap", 1.60),
            row("map of i64, look up, 8", "hashbrown", 1.70),
            row("map of i64, look up, 100", "indexmap", 1.60),
            row("map of i64, look up, 100", "hashbrown", 2.70),
            row("map of i64, look up, 10,000", "indexmap", 1.15),
            row("map of i64, look up, 10,000", "hashbrown", 1.70),
            row("map of i64, look up, 1M", "indexmap", 1.15),
            row("map of i64, look up, 1M", "hashbrown", 2.50),
            row("map of i64, look up what is missing, 10,000", "indexmap", 1.30),
            row("map of i64, update, 10,000", "indexmap", 1.20),
            row("map of i64, look up, 10,000, default hashers", "indexmap", 1.10),
            row("map of i64, look up, 10,000, default hashers", "hashbrown", 1.40),
            row("map of i64, remove half, 10,000", "indexmap", 1.20),
            row("map of pairs of i64, look up, 10,000", "indexmap", 1.30),
            row("map by the VM's hash, look up, 10,000", "hashbrown", 1.30),
            row("map of i64, iterate, 8", "indexmap", 2.00),
            row("map of i64, iterate, 100", "indexmap", 1.10),
            row("map of i64, iterate, 10,000", "indexmap", 0.90),
            row("map of i64, iterate, 1M", "indexmap", 0.90),
            row("map of texts, fill, 100,000", "indexmap", 0.85),
            row("map of texts, look up by the same cell, 100,000", "indexmap", 0.90),
            row("map of texts, look up, 100,000", "indexmap", 1.20),
            row("1,000 records as maps of 8 texts, look up with a hint", "indexmap", 0.90),
            row("1,000 records as maps of 8 texts, look up", "indexmap", 1.40),
            row("sum of two integers of 100 bits", "dashu-int", 1.30),
            row("product of two integers of 100 bits", "dashu-int", 1.30),
            row("product of two integers of 100,000 digits", "dashu-int", 1.30),
            row("parse 100,000 digits", "dashu-int", 1.30),
            row("write 100,000 digits", "dashu-int", 1.30),
            row("equality of two texts of 16 bytes", "String", 1.30),
            row("pop all of a map of 40,000", "indexmap", 1.30),
            row("pop_front all of a list of 40,000", "VecDeque", 1.30),
            row("sort 10,000 texts", "Vec of String", 1.30),
            row("sort 10,000 integers", "Vec", 1.20),
            row("sort 10,000 integers by a comparison", "Vec", 2.00),
            row("deep_eq of 10,000 lists of 8", "Vec of Vec", 5.00),
            row("deep_eq of 10,000 lists of 8, shuffled", "Vec of Vec", 3.00),
            row("deep copy of 10,000 lists of 8", "Vec of Vec", 1.20),
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
            row("collect a weak map of 100,000 live keys", "a map", 1.60),
            row("collect a chain of 100,000 weak entries", "a map", 5.00),
            row("binary trees of depth 14", "Box", 0.85),
            row("binary trees of depth 14", "gc-arena", 0.25),
            row("binary trees of depth 14 beside one", "collect", 0.40),
            row("binary trees of depth 14 beside one", "gc-arena", 0.45),
            row("unpin and pin one of 80,000", "hashbrown", 1.30),
            row("free a watched object, 80,000 watched", "no other", 1.30),
            row("compact 100 MiB, every other object of 64 B dead", "copy", 4.00),
            row("compact 100 MiB, every other object of 4 KiB dead", "copy", 1.50),
        ],
    },
    Section {
        name: "Pauses",
        rows: &[
            limit("longest pause, steps, 100,000 live", 5e5),
            row("longest pause, steps, 100,000 live", "collect", 0.25),
            row("longest pause, steps, 100,000 live", "gc-arena", 1.00),
            row("longest pause, steps, 100,000 live", LUA_INCREMENTAL, 1.00),
            limit("longest pause, steps, 1M live", 5e5),
            row("longest pause, steps, 1M live", "collect", 0.02),
            row("longest pause, steps, 1M live", "gc-arena", 1.00),
            row("longest pause, steps, 1M live", LUA_INCREMENTAL, 1.00),
            limit("longest pause, steps, 8M live", 5e5),
            row("longest pause, steps, 8M live", "collect", 0.01),
            row("longest pause, steps, 8M live", "gc-arena", 1.00),
            row("longest pause, steps, 8M live", LUA_INCREMENTAL, 1.00),
            limit("longest pause, young, 100,000 live", 1e6),
            row("longest pause, young, 100,000 live", LUA_GENERATIONAL, 1.00),
            limit("longest pause, young, 1M live", 1e6),
            row("longest pause, young, 1M live", LUA_GENERATIONAL, 1.00),
            limit("longest pause, young, 8M live", 1e6),
            row("longest pause, young, 8M live", LUA_GENERATIONAL, 1.00),
            limit("longest pause, default, 100,000 live", 1e6),
            row("longest pause, default, 100,000 live", "gc-arena", 1.00),
            limit("longest pause, default, 1M live", 1e6),
            row("longest pause, default, 1M live", "gc-arena", 1.00),
            limit("longest pause, default, 8M live", 1e6),
            row("longest pause, default, 8M live", "gc-arena", 1.00),
            limit("longest pause, steps, 1M roots", 5e5),
            limit("longest pause, steps, 1M pins", 5e5),
            limit("longest pause, steps, map of 10M entries", 5e5),
            limit("longest pause, steps, list of 10M cells", 5e5),
            limit("second collection with 10 live after 8M", 1e5),
            row("second collection with 10 live after 8M", "gc-arena", 1.00),
            limit("longest step of a compaction of 100 MiB, objects of 64 B", 5e5),
            row("longest step of a compaction of 100 MiB, objects of 64 B", "compact", 0.02),
            row("longest insertion until a map has 10M entries", "indexmap", 1.20),
            row("longest push until a list has 1 GiB", "Vec", 1.20),
            row("allocation with steps, 100,000 live", "collect", 1.15),
            row("allocation with steps, 1M live", "collect", 1.15),
            row("allocation with steps, 1M live", "gc-arena", 1.00),
            row("allocation with steps, 8M live", "collect", 1.15),
            row("allocation with steps, 8M live", "gc-arena", 1.00),
            row("allocation, young, 1M live", "collect", 0.45),
            row("allocation, young, 8M live", "collect", 0.80),
            row("allocation, default, 1M live", "collect", 0.45),
            row("allocation, default, 8M live", "collect", 0.80),
        ],
    },
    Section {
        name: "Forks and images",
        rows: &[
            row("fork 1.25M lists of 8", "copy", 1.50),
            row("save 1.25M lists of 8", "copy", 1.50),
            limit("save 1.25M lists of 8", 90e6),
            row("load 1.25M lists of 8", "copy", 1.80),
            limit("load 1.25M lists of 8", 90e6),
            row("load 100,000 maps of 20", "copy", 3.00),
            row("verify 1.25M lists of 8", "copy", 2.00),
            limit("load the names and functions of 10 MB", 10e6),
        ],
    },
    Section {
        name: "Overhead of guarantees",
        rows: &[
            row("overhead of handles: 10,000 gets", "without", 2.50),
            row("overhead of UTF-8: 4 KiB into a new object", "without", 2.00),
            row("overhead of all or nothing: 4,096 numbers", "without", 1.50),
            row("overhead of separate arenas: copy of 4 KiB", "without", 1.20),
            row("overhead of limits: 1,000 pairs", "without", 1.05),
            row("overhead of a region: 1,000 pairs", "without", 2.00),
        ],
    },
    Section {
        name: "Observation",
        rows: &[
            limit("heap snapshot of 1M pairs", 200.0),
            row("allocation profile: 1,000 pairs", "without", 6.00),
        ],
    },
];

/// The table of README.md.
pub(crate) const README_TABLE: [(&str, &str); 5] = [
    ("get, random, 100,000 lists of 8", "Vec of Vec"),
    ("1M objects of 16 bytes, fresh process", "slotmap"),
    ("bytes to text, 1 MiB", "simdutf8 + copy"),
    ("map of texts, look up, 100,000", "indexmap"),
    ("collect 1M lists of 8 random references", "gc-arena"),
];

/// The picture of README.md.
pub(crate) const README_PICTURE: [(&str, &str); 15] = [
    ("get, random, 1,000 lists of 8", "slotmap"),
    ("get, random, 100,000 lists of 8", "Vec of Vec"),
    ("get, pointer chase, 100,000 lists of 8", "Vec of Vec"),
    ("push 1M to one list", "Vec"),
    ("read and write a field, 1,000 records", "Vec of Box"),
    ("1M objects of 16 bytes, fresh process", "slotmap"),
    ("text of 16 bytes, alloc and free", "Box of str"),
    ("churn of 16 to 128 bytes, 100,000 live", "slotmap"),
    ("a region with 1,000 small objects", "Box"),
    ("bytes to text, 1 MiB", "simdutf8 + copy"),
    ("map of i64, look up, 10,000", "hashbrown"),
    ("map of texts, look up, 100,000", "indexmap"),
    ("deep copy of 10,000 lists of 8", "Vec of Vec"),
    ("collect 1M lists of 8 random references", "gc-arena"),
    ("binary trees of depth 14", "Box"),
];

/// Names in records before they changed, and the names since then.
const RENAMED: [(&str, &str); 16] = [
    ("get, sequential, every check forced", "get, sequential, checks not hoisted"),
    ("get, dependent chase, 100,000 lists of 8", "get, pointer chase, 100,000 lists of 8"),
    ("62,500 lists to 16, one after the other", "push to 62,500 lists of 16, list by list"),
    ("62,500 lists to 16, in turns", "push to 62,500 lists of 16, round-robin"),
    ("1,000 lists to 1,000, in turns", "push to 1,000 lists of 1,000, round-robin"),
    ("1M objects of 16 bytes, as usage() tells", "1M objects of 16 bytes, by usage()"),
    ("a frame with four small objects", "a region with four small objects"),
    ("a frame with 1,000 small objects", "a region with 1,000 small objects"),
    ("12 slotmaps", "a slotmap per kind"),
    ("texts of 16 B to a builder", "append texts of 16 B to a builder"),
    ("price of handles: 10,000 gets", "overhead of handles: 10,000 gets"),
    ("price of UTF-8: 4 KiB into a new object", "overhead of UTF-8: 4 KiB into a new object"),
    ("price of all or nothing: 4,096 numbers", "overhead of all or nothing: 4,096 numbers"),
    ("price of separate arenas: copy of 4 KiB", "overhead of separate arenas: copy of 4 KiB"),
    ("price of limits: 1,000 pairs", "overhead of limits: 1,000 pairs"),
    ("price of a region: 1,000 pairs", "overhead of a region: 1,000 pairs"),
];

/// Returns the present name of a comparison or a peer of a record.
pub(crate) fn current_name(recorded: &str) -> &str {
    let renamed = RENAMED.iter().find(|(old, _)| *old == recorded);
    renamed.map_or(recorded, |(_, new)| new)
}

impl Row {
    /// Returns the target on this machine.
    pub(crate) fn target(&self) -> f64 {
        self.target[simd_width()]
    }
}

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Peer::Contender(name) => name,
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
