//! Which vector instructions this processor has.

use std::sync::OnceLock;

/// What [`Isa::Avx2`] needs.
const AVX2: [&str; 3] = ["avx2", "fma", "f16c"];
/// What [`Isa::Avx512`] needs beside.
const AVX512: [&str; 5] = ["avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512vnni"];

/// What [`Isa::Amx`] needs beside.
const AMX: &str = "amx-int8";

/// The instruction sets that kernels are written for, from plain to wide. All give the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Isa {
    /// Plain Rust; the reference of the others, and what runs on processors without a kernel of their own.
    Scalar,
    /// AVX2, FMA and F16C: any x86-64-v3.
    Avx2,
    /// AVX-512 F, BW, DQ, VL and VNNI.
    Avx512,
    /// AVX-512, and tiles of bytes for products of many rows.
    Amx,
}

impl Isa {
    /// The widest set of this processor.
    pub(crate) fn detect() -> Self {
        static FOUND: OnceLock<Isa> = OnceLock::new();
        *FOUND.get_or_init(|| Self::of(&features()))
    }

    /// The widest set whose instructions are all among `features`, named as Rust names them.
    fn of(features: &[&str]) -> Self {
        let has = |wanted: &[&str]| wanted.iter().all(|name| features.contains(name));
        match (has(&AVX2), has(&AVX512)) {
            (true, true) if features.contains(&AMX) => Self::Amx,
            (true, true) => Self::Avx512,
            (true, false) => Self::Avx2,
            _ => Self::Scalar,
        }
    }

    /// Every set that this processor can run.
    #[cfg(test)]
    pub(crate) fn available() -> Vec<Self> {
        [Self::Scalar, Self::Avx2, Self::Avx512, Self::Amx].into_iter().filter(|isa| *isa <= Self::detect()).collect()
    }
}

/// The instructions of this processor that kernels ask about.
#[cfg(target_arch = "x86_64")]
fn features() -> Vec<&'static str> {
    macro_rules! found {
        ($($name:tt)*) => { [$(is_x86_feature_detected!($name).then_some($name)),*] };
    }
    let found = found!("avx2" "fma" "f16c" "avx512f" "avx512bw" "avx512dq" "avx512vl" "avx512vnni");
    let tiles = super::amx::usable().then_some(AMX);
    found.into_iter().flatten().chain(tiles).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn features() -> Vec<&'static str> {
    Vec::new()
}

/// What models of this machine compute with, for those who run it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arithmetic {
    isa: Isa,
    missing: Vec<&'static str>,
}

impl Arithmetic {
    /// Of this processor.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Self::of(&features())
    }

    /// Of a processor with these instructions, named as Rust names them, such as `avx2`.
    #[must_use]
    pub fn of(features: &[&str]) -> Self {
        let missing = AVX2.into_iter().filter(|name| !features.contains(name)).collect();
        Self { isa: Isa::of(features), missing }
    }

    /// The instruction set in use: `AMX and AVX-512`, `AVX-512 with VNNI`, `AVX2` or `plain`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self.isa {
            Isa::Scalar => "plain",
            Isa::Avx2 => "AVX2",
            Isa::Avx512 => "AVX-512 with VNNI",
            Isa::Amx => "AMX and AVX-512",
        }
    }

    /// What the operator must know of a processor below x86-64-v3, as a sentence; `None` on others.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let missing = self.missing.join(", ").to_uppercase();
        (!self.missing.is_empty()).then(|| {
            format!(
                "this processor is below x86-64-v3 (it has no {missing}): models run on plain instructions, with the \
                 same answers but much slower; use a processor with AVX2, or an engine elsewhere"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_a_function_of_the_processors_instructions() {
        let old = Arithmetic::of(&["avx512f"]);
        assert_eq!((old.isa, old.name()), (Isa::Scalar, "plain"));
        let warning = old.warning().unwrap();
        assert!(warning.contains("below x86-64-v3 (it has no AVX2, FMA, F16C)"), "{warning}");
        let sandy = Arithmetic::of(&["avx2", "fma"]);
        assert_eq!(sandy.isa, Isa::Scalar);
        assert!(sandy.warning().unwrap().contains("it has no F16C)"));

        let v3 = Arithmetic::of(&AVX2);
        assert_eq!((v3.isa, v3.name(), v3.warning()), (Isa::Avx2, "AVX2", None));
        let without_vnni = Arithmetic::of(&[&AVX2[..], &AVX512[..4]].concat());
        assert_eq!(without_vnni.isa, Isa::Avx2);
        let v4 = Arithmetic::of(&[&AVX2[..], &AVX512].concat());
        assert_eq!((v4.isa, v4.name(), v4.warning()), (Isa::Avx512, "AVX-512 with VNNI", None));
        let tiles = Arithmetic::of(&[&AVX2[..], &AVX512, &[AMX]].concat());
        assert_eq!((tiles.isa, tiles.name(), tiles.warning()), (Isa::Amx, "AMX and AVX-512", None));
        assert_eq!(Arithmetic::of(&[&AVX2[..], &[AMX]].concat()).isa, Isa::Avx2);
        // Without AVX2 the wider set is not used either: its kernels use both.
        assert_eq!(Arithmetic::of(&AVX512).isa, Isa::Scalar);
    }

    #[test]
    fn this_machine_runs_what_it_says() {
        assert_eq!(Arithmetic::of_this_machine().isa, Isa::detect());
    }
}
