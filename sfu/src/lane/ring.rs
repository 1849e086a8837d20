//! What was sent lately, by its number.

/// A place for each number, shared by those that are a ring's length apart. It grows while what would
/// be pushed out is still of use.
#[derive(Debug)]
pub(super) struct Ring<T> {
    places: Vec<Option<(u64, T)>>,
    most: usize,
}

impl<T> Ring<T> {
    /// Lengths are powers of two.
    pub(super) fn new(least: usize, most: usize) -> Self {
        Self {
            places: empty(least.next_power_of_two()),
            most: most.next_power_of_two(),
        }
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let place = self.place(number);
        let place = self.places.get_mut(place)?.as_mut();
        place
            .filter(|(is, _)| *is == number)
            .map(|(_, value)| value)
    }

    /// Puts a value at its number. `is_of_use`: of what lies there.
    pub(super) fn put(&mut self, number: u64, value: T, is_of_use: impl Fn(&T) -> bool) {
        while self.places.len() < self.most && self.is_taken(number, &is_of_use) {
            self.grow();
        }
        let place = self.place(number);
        if let Some(place) = self.places.get_mut(place) {
            *place = Some((number, value));
        }
    }

    fn is_taken(&self, number: u64, is_of_use: impl Fn(&T) -> bool) -> bool {
        let place = self.places.get(self.place(number));
        matches!(place, Some(Some((is, value))) if *is != number && is_of_use(value))
    }

    fn grow(&mut self) {
        let longer = empty(self.places.len() * 2);
        for (number, value) in std::mem::replace(&mut self.places, longer)
            .into_iter()
            .flatten()
        {
            let place = self.place(number);
            if let Some(place) = self.places.get_mut(place) {
                *place = Some((number, value));
            }
        }
    }

    fn place(&self, number: u64) -> usize {
        let length = self.places.len() as u64;
        usize::try_from(number & (length - 1)).unwrap_or(0)
    }
}

fn empty<T>(length: usize) -> Vec<Option<T>> {
    std::iter::repeat_with(|| None).take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ring_grows_for_what_is_of_use_up_to_its_bound() {
        let mut ring = Ring::new(4, 16);
        for number in 0..8 {
            ring.put(number, number * 10, |_| false);
        }
        assert_eq!(ring.get_mut(3), None);
        assert_eq!(ring.get_mut(7), Some(&mut 70));
        assert_eq!(ring.places.len(), 4);
        for number in 8..40 {
            ring.put(number, number * 10, |_| true);
        }
        assert_eq!(ring.places.len(), 16);
        assert_eq!(ring.get_mut(23), None);
        assert_eq!(ring.get_mut(24), Some(&mut 240));
        assert_eq!(ring.get_mut(39), Some(&mut 390));
    }
}
