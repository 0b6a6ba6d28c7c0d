//! What a VM sees of its heap: heap snapshots, allocation profiles, events.

mod events;
mod profile;
mod protobuf;
mod snapshot;
