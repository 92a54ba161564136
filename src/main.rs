//! The program: one binary, called `tripline`, `elastalert`, `elastalert-test-rule` or `elastalert-create-index`.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    std::process::exit(tripline::cli::run(std::env::args_os()));
}
