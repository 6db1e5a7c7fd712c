//! How a figure changes over a run: where it settles, and whether it has a trend.

/// Values averaged into one batch, so that single ones do not decide.
const BATCH: usize = 5;

/// With fewer batches nothing is said.
const BATCHES_MIN: usize = 10;

/// With fewer values no trend is looked for.
const TREND_MIN: usize = 8;

/// A trend is one where the order of the values would come by chance less than once in 10,000
/// times, were they independent.
const DEVIATE_MIN: f64 = 3.9;

/// Where the steady part of a series begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// From the value of this index on.
    From(usize),
    /// Not in the first half: the series is all warm-up, or never settles.
    Never,
    /// There are too few values to tell.
    TooShort,
}

/// Where the start of `values` may be cut off so that the mean of the rest is known best: the
/// rule MSER-5 (White 1997), the least squared error of the mean over batches of five, sought in
/// the first half.
pub fn settled(values: &[f64]) -> Settled {
    let batch = |batch: &[f64]| batch.iter().sum::<f64>() / BATCH as f64;
    let batches: Vec<f64> = values.chunks_exact(BATCH).map(batch).collect();
    if batches.len() < BATCHES_MIN {
        return Settled::TooShort;
    }
    // From the end on, since each step takes one batch more into the rest.
    let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
    let mut best = (f64::INFINITY, 0);
    for (index, value) in batches.iter().enumerate().rev() {
        count += 1.0;
        let apart = value - mean;
        mean += apart / count;
        squares += apart * (value - mean);
        let error = squares / (count * count);
        if index <= batches.len() / 2 && error <= best.0 {
            best = (error, index);
        }
    }
    if best.1 == batches.len() / 2 { Settled::Never } else { Settled::From(best.1 * BATCH) }
}

/// The change from one value to the next that goes through the whole series: the median of the
/// slopes between all pairs (Theil and Sen), where Kendall's order test finds that there is one.
/// Takes the time of pairs: for a hundred values, not for a million.
pub fn trend(values: &[f64]) -> Option<f64> {
    let n = values.len();
    if n < TREND_MIN {
        return None;
    }
    let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
    let mut slopes: Vec<f64> =
        pairs.map(|(i, j)| (values[j] - values[i]) / (j - i) as f64).collect();
    let order: f64 =
        slopes.iter().map(|slope| if *slope == 0.0 { 0.0 } else { slope.signum() }).sum();
    let n = n as f64;
    let spread = (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    if order.abs() / spread < DEVIATE_MIN {
        return None;
    }
    slopes.sort_unstable_by(f64::total_cmp);
    Some((slopes[(slopes.len() - 1) / 2] + slopes[slopes.len() / 2]) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Deterministic noise between -0.5 and 0.5.
    fn noise(k: usize) -> f64 {
        let mixed = (k as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11) as f64
            / (1u64 << 53) as f64
            - 0.5
    }

    #[test]
    fn a_series_settles_behind_its_warm_up() {
        let steady = |k: usize| 100.0 + noise(k);
        let cold = |k: usize| if k < 60 { steady(k) + (60 - k) as f64 } else { steady(k) };
        match settled(&(0..500).map(cold).collect::<Vec<_>>()) {
            Settled::From(index) => assert!((50..=75).contains(&index), "{index}"),
            other => panic!("{other:?}"),
        }
        match settled(&(0..500).map(steady).collect::<Vec<_>>()) {
            Settled::From(index) => assert!(index <= 50, "{index}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(settled(&[7.0; 200]), Settled::From(0));
    }

    #[test]
    fn a_series_that_grows_to_the_end_never_settles() {
        let growing: Vec<f64> = (0..500).map(|k| k as f64 + noise(k)).collect();
        assert_eq!(settled(&growing), Settled::Never);
        assert_eq!(settled(&growing[..40]), Settled::TooShort);
    }

    #[test]
    fn a_trend_is_found_in_noise_and_not_found_without() {
        let rising: Vec<f64> = (0..64).map(|k| 0.1 * k as f64 + noise(k)).collect();
        assert!((trend(&rising).unwrap() - 0.1).abs() < 0.02);
        assert_eq!(trend(&(0..64).map(noise).collect::<Vec<_>>()), None);
        assert_eq!(trend(&[3.0; 64]), None);
        assert_eq!(trend(&[1.0, 2.0, 3.0]), None);
        let bump: Vec<f64> =
            (0..64).map(|k| if (20..30).contains(&k) { 99.0 } else { 1.0 }).collect();
        assert_eq!(trend(&bump), None, "a stall is no trend");
    }
}
