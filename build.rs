//! Makes the folder of the built front end, so that the server also builds where Node never ran,
//! and rebuilds it when migrations or, in a release, the embedded pages change.

fn main() -> std::io::Result<()> {
    std::fs::create_dir_all("web/dist")?;
    println!("cargo:rerun-if-changed=migrations");
    // A debug build reads the pages from disk as it runs; only a release carries them.
    if std::env::var("PROFILE").as_deref() == Ok("release") {
        println!("cargo:rerun-if-changed=web/dist");
    }
    Ok(())
}
