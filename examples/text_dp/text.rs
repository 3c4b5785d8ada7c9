//! Sentences: generated ones or a user's, as numbers of hashed words.

use std::path::Path;

use burn::data::dataloader::batcher::Batcher;
use burn::prelude::*;
use burn_privacy_examples::Result;

/// Words of a sentence that are read; shorter ones are filled up.
pub const LENGTH: usize = 12;

/// Rows of the table of words, of which the first stands for no word.
pub const ROWS: usize = 512;

/// Generated sentences to train on.
pub const GENERATED: usize = 20_000;

/// Generated sentences that are held out.
const HELD_OUT: usize = 2_000;

/// A sentence and its class.
#[derive(Clone, Debug)]
pub struct Sentence {
    tokens: [i32; LENGTH],
    class: i32,
}

/// A batch of sentences.
#[derive(Clone, Debug)]
pub struct Batch {
    /// `[batch, LENGTH]`
    pub tokens: Tensor<2, Int>,
    /// `[batch]`
    pub classes: Tensor<1, Int>,
}

/// Makes batches.
#[derive(Clone, Copy)]
pub struct Text;

impl Batcher<Sentence, Batch> for Text {
    fn batch(&self, items: Vec<Sentence>, device: &Device) -> Batch {
        let count = items.len();
        let tokens: Vec<i32> = items.iter().flat_map(|item| item.tokens).collect();
        let classes: Vec<i32> = items.iter().map(|item| item.class).collect();
        Batch {
            tokens: Tensor::from_data(TensorData::new(tokens, [count, LENGTH]), device),
            classes: Tensor::from_data(TensorData::new(classes, [count]), device),
        }
    }
}

/// Text to train on and text that is held out.
#[derive(Clone, Debug)]
pub struct Sentences {
    /// To train on.
    pub train: Vec<Sentence>,
    /// Held out.
    pub test: Vec<Sentence>,
    /// Number of classes.
    pub classes: usize,
}

impl Sentences {
    /// Sentences of which four in five are judged by the order of their words alone: `good but not bad` has the words of `bad but not
    /// good`.
    pub fn generated() -> Self {
        let mut random = Random(7);
        let mut all: Vec<Sentence> = (0..GENERATED + HELD_OUT).map(|_| generated(&mut random)).collect();
        let test = all.split_off(GENERATED);
        Self { train: all, test, classes: 2 }
    }

    /// A CSV file with the columns `text` and `label` (whole numbers from 0). Every tenth line is held out.
    ///
    /// # Errors
    ///
    /// A sentence that says which column or line can't be read.
    pub fn read(file: &Path) -> Result<Self> {
        let name = file.display();
        let mut reader = csv::Reader::from_path(file).map_err(|error| format!("{name} can't be read: {error}"))?;
        let headers = reader.headers().map_err(|error| format!("{name} has no header: {error}"))?.clone();
        let column = |wanted: &str| {
            headers.iter().position(|header| header.trim() == wanted).ok_or(format!("{name} has no column `{wanted}`"))
        };
        let (text, label) = (column("text")?, column("label")?);
        let (mut train, mut test, mut classes) = (Vec::new(), Vec::new(), 2);
        for (line, record) in reader.records().enumerate() {
            let record = record.map_err(|error| format!("{name} can't be read: {error}"))?;
            let class = record.get(label).and_then(|label| label.trim().parse::<u16>().ok());
            let class =
                class.ok_or(format!("{name}, record {}: the label is not a whole number from 0 on", line + 1))?;
            classes = classes.max(usize::from(class) + 1);
            let sentence = Sentence { tokens: tokens(record.get(text).unwrap_or_default()), class: i32::from(class) };
            if line % 10 == 9 { test.push(sentence) } else { train.push(sentence) }
        }
        Ok(Self { train, test, classes })
    }
}

/// The numbers of the first words, in small letters and without punctuation.
fn tokens(text: &str) -> [i32; LENGTH] {
    let mut tokens = [0; LENGTH];
    let words = text.split_whitespace().map(|word| word.trim_matches(|letter: char| !letter.is_alphanumeric()));
    for (token, word) in tokens.iter_mut().zip(words.filter(|word| !word.is_empty())) {
        *token = row_of(&word.to_lowercase());
    }
    tokens
}

/// The row of a word, by a fixed hash (FNV-1a): the table is public.
fn row_of(word: &str) -> i32 {
    let hash = word
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    1 + (hash % (ROWS as u64 - 1)) as i32
}

const GOOD: [&str; 6] = ["good", "kind", "bright", "warm", "clean", "quick"];
const BAD: [&str; 6] = ["bad", "rude", "dull", "cold", "dirty", "slow"];
const THINGS: [&str; 8] = ["room", "food", "staff", "film", "plot", "music", "garden", "street"];

fn generated(random: &mut Random) -> Sentence {
    let mut pick = |of: &[&'static str]| of[random.below(of.len())];
    let (good, bad, first, second) = (pick(&GOOD), pick(&BAD), pick(&THINGS), pick(&THINGS));
    let positive = random.below(2) == 1;
    let text = match (random.below(5), positive) {
        (0, true) => format!("the {first} was {good} and the {second} too"),
        (0, false) => format!("the {first} was {bad} and the {second} too"),
        (1 | 2, true) => format!("the {first} was {good} and the {second} was not {bad}"),
        (1 | 2, false) => format!("the {first} was {bad} and the {second} was not {good}"),
        (_, true) => format!("the {first} was not {bad} and the {second} was {good}"),
        (_, false) => format!("the {first} was not {good} and the {second} was {bad}"),
    };
    Sentence { tokens: tokens(&text), class: i32::from(positive) }
}

/// SplitMix64 (Steele, Lea and Flood 2014): the same sentences in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_sentence_are_rows_of_the_table() {
        let found = tokens("The food, the FOOD!");
        assert_eq!((found[0], found[1]), (found[2], found[3]));
        assert!(found[..4].iter().all(|token| (1..ROWS as i32).contains(token)) && found[4..] == [0; LENGTH - 4]);
    }
}
