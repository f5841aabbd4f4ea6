//! The conversations that fuzzing has left in `fuzz/corpus/api`, against a whole server.

mod api;

use std::path::Path;

#[test]
fn no_request_of_the_corpus_does_harm() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/api");
    let files = std::fs::read_dir(directory).expect("the corpus is in the repository");
    let mut count = 0;
    for file in files {
        let path = file.expect("the directory can be read").path();
        eprintln!("{}", path.display());
        api::api(&std::fs::read(&path).expect("the file can be read"));
        count += 1;
    }
    assert!(count > 10, "{count} conversations");
}
