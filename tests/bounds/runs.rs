//! What whole runs of the command line take of memory.

use super::*;

/// A GIF whose pixels are a million times its bytes.
fn gif(width: u16, height: u16) -> Vec<u8> {
    let sides = [width.to_le_bytes(), height.to_le_bytes()].concat();
    let screen = [&b"GIF89a"[..], &sides, &[0x80, 0, 0, 0, 0, 0, 255, 255, 255]].concat();
    [&screen[..], b",\0\0\0\0", &[1, 0, 1, 0], b"\0\x02\x02\x4c\x01\0;"].concat()
}

/// Each thread decodes when the memory that its photograph needs is free; one that alone needs more
/// is an error of its file, and the others go on.
#[test]
fn photographs_share_the_memory() {
    let _alone = alone();
    // Smaller ones, once freed, would stay with the allocator.
    let folder = scratch("bounds-photographs");
    let out = folder.join("o.parquet");
    let args = ["encode", text(&folder), "--out", text(&out), "--device", "cpu"];
    let small = ["--image-size", "14", "--max-memory", "110MB"];
    let photo =
        |number: usize| std::fs::write(folder.join(format!("{number}.gif")), gif(3400, 3400));
    photo(0).unwrap();
    let (alone, said, code) = peak_of(&[&args[..], &small].concat());
    assert_eq!(code, Some(0), "{said}");
    (1..5).for_each(|number| photo(number).unwrap());
    let (peak, said, code) = peak_of(&[&args[..], &small].concat());
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("4 encoded, 1 already there, 0 failed"), "{said}");
    assert!(peak < alone + (30 << 20), "{} MB, of one {} MB", peak >> 20, alone >> 20);

    std::fs::write(folder.join("large.gif"), gif(6800, 6800)).unwrap();
    let (peak, said, code) = peak_of(&[&args[..], &small].concat());
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("5 already there, 1 failed"), "{said}");
    // Its pixels alone would take 139 MB; what both runs take at their peak is the model.
    assert!(peak < alone + (30 << 20), "{} MB, of one {} MB", peak >> 20, alone >> 20);
    let one = folder.join("large.gif");
    let one = ["preprocess", text(&one), "--out", "x.npz", "--max-memory", "110MB"];
    let expected = "large.gif: needs 231.2 MB of memory, and 110.0 MB may be taken: take a smaller one, \
                    or allow more memory (--max-memory SIZE)";
    fails(&one, expected);
}

/// What a file or a device claims, or gives without end, is not read.
#[cfg(target_os = "linux")]
#[test]
fn files_of_photographs_are_bounded() {
    let _alone = alone();
    let folder = scratch("bounds-files");
    let sparse = folder.join("sparse.jpg");
    std::fs::File::create(&sparse).unwrap().set_len(3 << 30).unwrap();
    let zeros = folder.join("zeros.png");
    std::fs::File::create(&zeros).unwrap().set_len(1 << 30).unwrap();
    let socket = folder.join("socket.jpg");
    let _socket = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let below = folder.join("below");
    std::fs::create_dir(&below).unwrap();
    for (path, expected) in [
        (text(&sparse), "sparse.jpg: 3.2 GB: the file of a photograph may have 1.1 GB"),
        (text(&zeros), "zeros.png: nothing but zeros"),
        ("/dev/zero", "/dev/zero: nothing but zeros"),
        ("/dev/null", "/dev/null: the file is empty"),
        (text(&socket), "socket.jpg: a socket, expected a photograph"),
        (text(&below), "below: no photographs in this folder"),
    ] {
        let (peak, said, code) = peak_of(&["encode", path, "--out", "o.npz", "--device", "cpu"]);
        assert_eq!(code, Some(1), "{path}: {said}");
        assert!(said.contains(expected), "{path}: {said}");
        assert!(peak < 300 << 20, "{path}: {} MB", peak >> 20);
    }
}

/// A pipe to which nobody writes. It takes the time that a writer is waited for, beside the other tests.
#[cfg(target_os = "linux")]
#[test]
fn a_pipe_without_a_writer_is_given_up() {
    let pipe = scratch("bounds-pipe").join("pipe.jpg");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let (peak, said, code) = peak_of(&["preprocess", text(&pipe), "--out", "o.npz"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("pipe.jpg: nothing was written to it for 10 s"), "{said}");
    assert!(peak < 300 << 20, "{} MB", peak >> 20);
}

/// Labels of many classes need no map of classes × pixels; what is written whole is foreseen.
#[test]
fn maps_are_made_in_rows() {
    let _alone = alone();
    let folder = scratch("bounds-maps");
    let config = config(16, 2, 32, 1, "");
    let (model, head) = (folder.join("m"), folder.join("h.safetensors"));
    init_checkpoint("config.json", &config, 1, StoredType::F32, &model, &|_, _| ()).unwrap();
    let (weight, bias) = (noise(1, 4096 * 16), noise(2, 4096));
    let tensors = [
        ("decode_head.conv_seg.weight".to_string(), vec![4096, 16, 1, 1], Values::F32(&weight)),
        ("decode_head.conv_seg.bias".to_string(), vec![4096], Values::F32(&bias)),
    ];
    write_safetensors(&head, &tensors).unwrap();
    let photo = folder.join("long.png");
    let size = [1000u32.to_be_bytes(), 20u32.to_be_bytes()].concat();
    let header = chunk(b"IHDR", &[&size[..], &[8, 0, 0, 0, 0]].concat());
    let start = b"\x89PNG\r\n\x1a\n";
    let parts = [start, &header[..], &chunk(b"IDAT", &zeros(1)), &chunk(b"IEND", b"")];
    std::fs::write(&photo, parts.concat()).unwrap();
    let args = ["segment", text(&photo), "--model", text(&model), "--head", text(&head), "--whole"];
    let picture = folder.join("p.png");
    let more = ["--device", "cpu", "--json", "--picture", text(&picture)];
    let (peak, said, code) = peak_of(&[&args[..], &more].concat());
    assert_eq!(code, Some(0), "{said}");
    // 56 × 2,800 pixels of 4,096 classes would be 2.6 GB.
    assert!(peak < 400 << 20, "{} MB", peak >> 20);
    let out = folder.join("o.safetensors");
    let more = ["--device", "cpu", "--out", text(&out), "--max-memory", "2GB"];
    fails(&[&args[..], &more].concat(), "4096 classes on 2800 × 56 pixels: needs 5.");
}
