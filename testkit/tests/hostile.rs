//! The inputs that fuzzing has left in `fuzz/corpus`: none of them panics, hangs, or takes all memory.

use std::path::Path;
use std::time::{Duration, Instant};

use testkit::hostile;

/// No input takes longer, in a build without optimization, on a machine that has other things to do.
const INPUT_TIME_MAX: Duration = Duration::from_secs(20);

fn corpus(target: &str, run: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let files = std::fs::read_dir(directory).expect("the corpus is in the repository");
    let mut count = 0;
    for file in files {
        let path = file.expect("the directory can be read").path();
        let input = std::fs::read(&path).expect("the file can be read");
        let began = Instant::now();
        run(&input);
        let took = began.elapsed();
        assert!(took < INPUT_TIME_MAX, "{}: {took:?}", path.display());
        count += 1;
    }
    assert!(count > 10, "{target}: {count} inputs");
}

#[test]
fn no_definition_of_the_corpus_does_harm() {
    corpus("definition", hostile::definition);
}

#[test]
fn no_path_of_the_corpus_does_harm() {
    corpus("path", hostile::path);
}

#[test]
fn no_jsonata_expression_of_the_corpus_does_harm() {
    corpus("jsonata", hostile::jsonata);
}

#[test]
fn no_intrinsic_function_of_the_corpus_does_harm() {
    corpus("intrinsic", hostile::intrinsic);
}
