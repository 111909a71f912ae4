//! Sets what napi-rs needs when the addon is linked.

fn main() {
    napi_build::setup();
}
