//! The same work in Lua 5.4, by `benches/pauses.lua`.

use std::process::Command;
use std::sync::OnceLock;

use super::run::Scene;

pub(crate) const LUA_IS_MISSING: &str =
    "Lua 5.4 (lua5.4 or lua) is not installed: rows beside it are left out";

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/pauses.lua");

/// The command of Lua 5.4, if there is one.
pub(super) fn command() -> Option<&'static str> {
    static COMMAND: OnceLock<Option<&str>> = OnceLock::new();
    let is_right = |name: &&str| {
        let output = Command::new(name).arg("-v").output();
        output.is_ok_and(|output| output.stdout.starts_with(b"Lua 5.4"))
    };
    *COMMAND.get_or_init(|| ["lua5.4", "lua"].into_iter().find(is_right))
}

pub(super) fn script(mode: &str, scene: &Scene) -> Command {
    let mut command = Command::new(command().expect(LUA_IS_MISSING));
    command.args([SCRIPT, mode, &scene.live.to_string(), &scene.allocations.to_string()]);
    command
}
