//! Bundles whose content protects: lists of revoked certificates and of refused passwords. They never go back but by a
//! rollback.

use crate::bundles::Site;
use crate::doctor::carrel;

#[test]
fn lists_of_revoked_certificates_are_checked_before_they_hold() {
    let site = Site::new();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    parameters.key_usages = vec![rcgen::KeyUsagePurpose::CrlSign, rcgen::KeyUsagePurpose::KeyCertSign];
    std::fs::write(site.path("authority.pem"), parameters.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = rcgen::Issuer::from_params(&parameters, &key);
    let list = |number: u64, year: i32| {
        let parameters = rcgen::CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2020, 1, 1),
            next_update: rcgen::date_time_ymd(year, 1, 1),
            crl_number: rcgen::SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        parameters.signed_by(&issuer).unwrap().pem().unwrap()
    };
    let (good, ended) = (list(1, 2050), list(2, 2021));
    let first = site.bundle("crl", 1, &[("people.crl", &good)], &[]);
    assert!(site.does(&["bundle", "apply", &first]).contains("within seconds"));
    let second = site.bundle("crl", 2, &[("people.crl", &ended)], &[]);
    site.refuses(&["bundle", "apply", &second], "the list of revoked certificates ended on");
    let third = site.bundle("crl", 3, &[("people.crl", "no list")], &[]);
    site.refuses(&["bundle", "apply", &third], "holds no list of revoked certificates");
    assert_eq!(std::fs::read_to_string(site.path("lists/people.crl")).unwrap(), good);
    site.refuses(&["bundle", "apply", &first, "--allow-downgrade"], "an old bundle is not played again");
    site.refuses(&["bundle", "rollback", "crl"], "there was no");
}

#[test]
fn passwords_that_are_known_elsewhere_are_refused_from_then_on() {
    let site = Site::new();
    let word = "harbour lights at dusk";
    let create = |name: &str| {
        std::fs::write(site.path("password"), word).unwrap();
        let output = carrel(&site.data, &[], &["user", "create", name, "--password-file", &site.path("password")]);
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    assert!(create("uma").0);
    let first = site.bundle("passwords", 1, &[("passwords.txt", "# of a breach\nHarb0ur-lights at dusk\n")], &[]);
    assert!(site.does(&["bundle", "apply", &first]).contains("passwords 0.9.1 is in force"));
    let (well, said) = create("ben");
    assert!(!well && said.contains("too easy to guess"), "{said}");

    let empty = site.bundle("passwords", 2, &[("passwords.txt", "# nothing\n")], &[]);
    site.refuses(&["bundle", "apply", &empty], "there is no password in it");
    let stranger = site.bundle("passwords", 3, &[("glossary.csv", "a,b\n")], &[]);
    site.refuses(&["bundle", "apply", &stranger], "does not hold 'glossary.csv'");
    assert!(!create("ben").0, "the list in force still is");
    let second = site.bundle("passwords", 4, &[("passwords.txt", "something else\n")], &[]);
    site.does(&["bundle", "apply", &second]);
    assert!(create("ben").0);
    site.refuses(&["bundle", "apply", &first, "--allow-downgrade"], "an old bundle is not played again");
    site.does(&["bundle", "rollback", "passwords"]);
    assert!(!create("cleo").0, "the list before is in its place again");
    assert_eq!(site.events("bundle.applied").len(), 2);
    assert_eq!(site.events("bundle.rolled_back").len(), 1);
    assert_eq!(site.events("bundle.refused").len(), 3);
}

#[test]
fn without_a_list_before_a_rollback_leaves_none() {
    let site = Site::new();
    let list = site.bundle("passwords", 1, &[("passwords.txt", "harbour lights at dusk\n")], &[]);
    site.does(&["bundle", "apply", &list]);
    assert!(site.data.join("lists/passwords.txt").is_file());
    site.does(&["bundle", "rollback", "passwords"]);
    assert!(!site.data.join("lists/passwords.txt").exists());
}
