//! `floor(k * num / den)` for growing k, without a division a step and without drift.

/// The value for one k of every `step`; exact for any k.
#[derive(Debug, Clone)]
pub(super) struct Staircase {
    value: u64,
    /// What the floor cut off, in units of `1 / den`.
    rest: u128,
    step_value: u64,
    step_rest: u128,
    den: u128,
}

impl Staircase {
    /// Starts at k = `first` and steps by `step`; `den` is above 0.
    pub(super) fn new(num: u128, den: u128, first: u64, step: u64) -> Self {
        let split = |k: u64| {
            let product = num.saturating_mul(u128::from(k));
            (u64::try_from(product / den).unwrap_or(u64::MAX), product % den)
        };
        let ((value, rest), (step_value, step_rest)) = (split(first), split(step));
        Self { value, rest, step_value, step_rest, den }
    }

    #[inline]
    pub(super) fn value(&self) -> u64 {
        self.value
    }

    #[inline]
    pub(super) fn advance(&mut self) {
        self.value = self.value.saturating_add(self.step_value);
        self.rest += self.step_rest;
        if self.rest >= self.den {
            self.rest -= self.den;
            self.value = self.value.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_step_equals_the_division(
            num in 1u64.., den in 1u64.., first in 0u64..1000, step in 1u64..1000,
        ) {
            let (num, den) = (u128::from(num), u128::from(den));
            let mut stairs = Staircase::new(num, den, first, step);
            for i in 0..100 {
                let k = u128::from(first + i * step);
                let exact = u64::try_from(num * k / den).unwrap_or(u64::MAX);
                prop_assert_eq!(stairs.value(), exact);
                if exact == u64::MAX { break; }
                stairs.advance();
            }
        }
    }
}
