//! Which cryptography TLS uses.

use std::sync::Once;

/// Makes ring the process's TLS provider; every client and listener calls this before it builds its TLS. Calling it again does nothing.
pub fn install_provider() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // An error means that a program embedding this library has chosen a provider already: that one serves as well.
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
    });
}
