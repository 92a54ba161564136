//! The program: one binary, called `tripline`, `elastalert`, `elastalert-test-rule` or `elastalert-create-index`.

fn main() {
    std::process::exit(tripline::cli::run(std::env::args_os()));
}
