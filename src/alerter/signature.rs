//! Requests signed with a key derived from a secret: AWS's signature version 4, and Tencent Cloud's version 3, which is made the same way.
//! Follow <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html> and
//! <https://www.tencentcloud.com/document/product/382/40628>.

use ring::{digest, hmac};

/// The names in which the two differ.
pub(super) struct Scheme {
    /// The algorithm's name.
    pub(super) algorithm: &'static str,
    /// What stands before the secret.
    pub(super) prefix: &'static str,
    /// The last part of the scope.
    pub(super) end: &'static str,
}

/// AWS, signature version 4.
pub(super) const AWS: Scheme = Scheme {
    algorithm: "AWS4-HMAC-SHA256",
    prefix: "AWS4",
    end: "aws4_request",
};

/// Tencent Cloud, signature version 3.
pub(super) const TENCENT: Scheme = Scheme {
    algorithm: "TC3-HMAC-SHA256",
    prefix: "TC3",
    end: "tc3_request",
};

/// A `POST` to the path `/` without a query, before it is signed.
pub(super) struct Unsigned<'a> {
    /// The time, as the scheme writes it.
    pub(super) time: &'a str,
    /// What the signature holds for, before [`Scheme::end`]: the day first.
    pub(super) scope: &'a [&'a str],
    /// The headers to sign: names in lower case, in order, values without blanks around them.
    pub(super) headers: &'a [(String, String)],
    /// The body.
    pub(super) body: &'a [u8],
}

impl Scheme {
    /// The request's `Authorization`.
    pub(super) fn authorization(&self, id: &str, secret: &str, request: &Unsigned<'_>) -> String {
        let names: Vec<&str> = request.headers.iter().map(|(name, _)| &**name).collect();
        let names = names.join(";");
        let mut canonical = "POST\n/\n\n".to_owned();
        for (name, value) in request.headers {
            canonical.push_str(&format!("{name}:{value}\n"));
        }
        let body = sha256(request.body);
        canonical.push_str(&format!("\n{names}\n{body}"));
        let scope = format!("{}/{}", request.scope.join("/"), self.end);
        let canonical = sha256(canonical.as_bytes());
        let to_sign = format!("{}\n{}\n{scope}\n{canonical}", self.algorithm, request.time);
        let mut key = format!("{}{secret}", self.prefix).into_bytes();
        for part in request.scope.iter().chain([&self.end, &to_sign.as_str()]) {
            key = hmac_sha256(&key, part);
        }
        let signature = hex(&key);
        format!(
            "{} Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.algorithm
        )
    }
}

fn hmac_sha256(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    /// `post-x-www-form-urlencoded` of AWS's own test suite.
    #[test]
    fn as_aws_signs() {
        let request = Unsigned {
            time: "20150830T123600Z",
            scope: &["20150830", "us-east-1", "service"],
            headers: &headers(&[
                ("content-type", "application/x-www-form-urlencoded"),
                ("host", "example.amazonaws.com"),
                ("x-amz-date", "20150830T123600Z"),
            ]),
            body: b"Param1=value1",
        };
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        assert_eq!(
            AWS.authorization("AKIDEXAMPLE", secret, &request),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
        );
    }

    /// What Tencent's library signs for elastalert2.
    #[test]
    fn as_tencent_signs() {
        let request = Unsigned {
            time: "1772410200",
            scope: &["2026-03-02", "sms"],
            headers: &headers(&[
                ("content-type", "application/json"),
                ("host", "sms.tencentcloudapi.com"),
            ]),
            body: br#"{"PhoneNumberSet": ["+8613711112222"], "SmsSdkAppId": "1400", "TemplateId": "1", "TemplateParamSet": [], "ExtendCode": ""}"#,
        };
        assert_eq!(
            TENCENT.authorization("id", "key", &request),
            "TC3-HMAC-SHA256 Credential=id/2026-03-02/sms/tc3_request, SignedHeaders=content-type;host, \
             Signature=311750b957fbfd74820c3102f780f37338b14dd2651a045c9e724c8a58975ee8"
        );
    }
}
