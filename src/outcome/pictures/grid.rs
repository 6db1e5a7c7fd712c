//! How a length of time was spread, interval by interval: what a heat map shows.

use super::axis::nice_step;
use crate::stats::Coarse;
use crate::unit::{Instant, Nanos, Quantile};

/// Intervals of a grid, at most.
const COLUMNS_MAX: u64 = 240;

/// Rows to each doubling of the value: a row is at most 1/32 of its value high.
const ROWS_PER_DOUBLING: u64 = 32;

/// Samples counted by interval of time and by size; memory does not grow with their number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    from: Nanos,
    width: Nanos,
    columns: Vec<Column>,
}

/// One interval.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Column {
    counts: Coarse,
    max: Nanos,
}

/// Samples of one interval whose size is within bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// Start of the interval, from the start of the measure phase.
    pub from: Nanos,
    /// Its end.
    pub to: Nanos,
    /// The least size in it.
    pub low: Nanos,
    /// The size from which on it is too small.
    pub high: Nanos,
    /// Samples; never 0.
    pub count: u64,
}

impl Grid {
    /// No sample between `from` and `to`, which count from the start of the measure phase. The
    /// intervals have a round length, the last may reach beyond `to`.
    pub fn new(from: Nanos, to: Nanos) -> Self {
        let length = to.0.saturating_sub(from.0).max(1);
        let width = nice_step(length.div_ceil(COLUMNS_MAX));
        let from = Nanos(from.0 - from.0 % width);
        let columns = to.0.saturating_sub(from.0).div_ceil(width).max(1);
        Self { from, width: Nanos(width), columns: vec![Column::default(); columns as usize] }
    }

    /// Counts a sample of time `at` from the start of the measure phase; passes over it where the
    /// grid does not reach.
    pub fn record(&mut self, at: Nanos, sample: Nanos) {
        let Some(since) = at.0.checked_sub(self.from.0) else { return };
        let Some(column) = self.columns.get_mut((since / self.width.0) as usize) else { return };
        column.counts.record(sample);
        column.max = column.max.max(sample);
    }

    /// Length of an interval.
    pub fn width(&self) -> Nanos {
        self.width
    }

    /// What is in the grid, in order of time and size, of rows so high that there are at most
    /// `rows` to the whole of it, empty cells left out.
    pub fn cells(&self, rows: usize) -> Vec<Cell> {
        let used = || self.columns.iter().flat_map(|column| column.counts.buckets());
        let (first, last) = used().fold((usize::MAX, 0), |(first, last), (highest, _)| {
            (first.min(row(highest)), last.max(row(highest)))
        });
        // A power of two, so that a doubling is a whole number of cells.
        let height = (last + 1).saturating_sub(first).div_ceil(rows.max(1)).next_power_of_two();
        let mut cells: Vec<Cell> = Vec::new();
        for (index, column) in self.columns.iter().enumerate() {
            let (from, to) = self.interval(index);
            for (highest, count) in column.counts.buckets() {
                let number = row(highest) / height * height;
                let (low, high) = (low_of(number), low_of(number + height));
                match cells.last_mut().filter(|cell| (cell.from, cell.low) == (from, low)) {
                    Some(cell) => cell.count += count,
                    None => cells.push(Cell { from, to, low, high, count }),
                }
            }
        }
        cells
    }

    /// Of each interval its start, its end, and the sizes at `quantiles` (nearest rank, to two
    /// digits, rounded up) and the largest, exactly; intervals without samples left out.
    pub fn series<const N: usize>(
        &self,
        quantiles: [Quantile; N],
    ) -> Vec<(Nanos, Nanos, [Nanos; N], Nanos)> {
        let columns = self.columns.iter().enumerate();
        columns
            .filter(|(_, column)| column.counts.count() > 0)
            .map(|(index, column)| {
                let (from, to) = self.interval(index);
                let at = |quantile| column.counts.nearest_rank(quantile).unwrap_or(column.max);
                (from, to, quantiles.map(|quantile| at(quantile).min(column.max)), column.max)
            })
            .collect()
    }

    fn interval(&self, index: usize) -> (Nanos, Nanos) {
        let from = self.from + Nanos(self.width.0 * index as u64);
        (from, from + self.width)
    }
}

/// The row of a sample: one for each ns below 32, then 32 to each doubling.
fn row(sample: Nanos) -> usize {
    let doubling = sample.0.max(1).ilog2().saturating_sub(ROWS_PER_DOUBLING.ilog2());
    let part = sample.0 >> doubling;
    (u64::from(doubling) * ROWS_PER_DOUBLING + part) as usize
}

/// The least sample of a row.
fn low_of(row: usize) -> Nanos {
    let row = row as u64;
    if row < 2 * ROWS_PER_DOUBLING {
        return Nanos(row);
    }
    let doubling = row / ROWS_PER_DOUBLING - 1;
    Nanos((row - doubling * ROWS_PER_DOUBLING) << doubling)
}

/// Time since the start of the measure phase; `None` before it.
pub(super) fn since_start(at: Instant, start: Instant) -> Option<Nanos> {
    at.0.checked_sub(start.0).map(Nanos)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_sample_lies_in_its_row(nanos in prop_oneof![0..100u64, 0..1u64 << 40]) {
            let row = row(Nanos(nanos));
            prop_assert!(low_of(row).0 <= nanos && nanos < low_of(row + 1).0, "{nanos} {row}");
            let height = low_of(row + 1).0 - low_of(row).0;
            prop_assert!(height == 1 || height * 32 <= nanos);
        }

        #[test]
        fn cells_hold_every_sample_once_and_lie_within_their_rows(
            samples in prop::collection::vec((0..1_000_000u64, 0..1u64 << 36), 1..200),
            rows in 1..100usize,
        ) {
            let mut grid = Grid::new(Nanos::ZERO, Nanos(1_000_000));
            samples.iter().for_each(|&(at, size)| grid.record(Nanos(at), Nanos(size)));
            let cells = grid.cells(rows);
            prop_assert_eq!(cells.iter().map(|cell| cell.count).sum::<u64>(), samples.len() as u64);
            for (at, size) in samples {
                let holds = |cell: &&Cell| {
                    let sizes = cell.low.0..cell.high.0;
                    (cell.from.0..cell.to.0).contains(&at) && sizes.contains(&size)
                };
                prop_assert_eq!(cells.iter().filter(holds).count(), 1);
            }
        }
    }

    #[test]
    fn intervals_are_round_and_at_most_240() {
        for (to, width, columns) in
            [(10_000_000_000, 50_000_000, 200), (1, 1, 1), (4_801_000, 50_000, 97), (0, 1, 1)]
        {
            let grid = Grid::new(Nanos::ZERO, Nanos(to));
            assert_eq!((grid.width, grid.columns.len()), (Nanos(width), columns), "{to}");
        }
    }

    #[test]
    fn what_lies_outside_of_the_window_is_passed_over() {
        let mut grid = Grid::new(Nanos(2_000), Nanos(3_000));
        [1_999, 2_000, 2_999, 3_000].iter().for_each(|&at| grid.record(Nanos(at), Nanos(7)));
        assert_eq!(grid.cells(10).iter().map(|cell| cell.count).sum::<u64>(), 2);
    }

    #[test]
    fn quantiles_of_an_interval_go_by_nearest_rank() {
        let mut grid = Grid::new(Nanos::ZERO, Nanos(10));
        (1..=31).for_each(|nanos| grid.record(Nanos(5), Nanos(nanos)));
        let series = grid.series([Quantile(500_000)]);
        assert_eq!(series, [(Nanos(5), Nanos(6), [Nanos(16)], Nanos(31))]);
    }
}
