//! What goes wrong while a conversation is read and remembered: no memory, and a stop.

use super::*;

/// A memory that cannot have twice its room has what it needs; where there is none for that either, the answer ends with one
/// sentence, and goes on where it ended.
#[test]
fn a_full_device_keeps_the_conversation() {
    let Some(gpu) = gpu() else { return };
    let name = "internvl_qwen2_openvl";
    let faults = gpu.fault_injector();
    let mut encoder = wait(Encoder::load(open(name), gpu, &mut on_bytes)).unwrap();
    let how = Answering { most: 900, logits: true, ..Answering::default() };
    let told = |encoder: &mut Encoder, starved: &[(usize, &[u32])]| {
        let mut talk = Talk::default();
        talk.say(encoder, &[5, 6, 7], None).unwrap();
        let mut count = 3;
        let watch = &mut |_: Said<'_>| {
            count += 1;
            let due = starved.iter().filter(|(at, _)| *at == count);
            due.for_each(|(_, numbers)| faults.starve_after(numbers));
            ControlFlow::Continue(())
        };
        let said = wait(talk.answer(encoder, &how, &mut on, watch));
        (talk, said)
    };
    let (expected, _) = told(&mut encoder, &[]);
    // There is room for 512 tokens; then for the first layer of two alone, and for all that are needed.
    let (found, said) = told(&mut encoder, &[(512, &[1])]);
    assert_eq!(said.unwrap().len(), 900);
    assert!(found.ids() == expected.ids());
    // Then for none.
    let (mut found, said) = told(&mut encoder, &[(512, &[1]), (768, &[1, 1])]);
    refused("starved", said, "has no memory for");
    assert_eq!(found.ids(), &expected.ids()[..769]);
    let how = Answering { most: 903 - 769, ..how };
    let mut fed = 0;
    let reading = &mut async |done: usize, _: usize| {
        fed = done;
        ControlFlow::Continue(())
    };
    let go_on = &mut |_: Said<'_>| ControlFlow::Continue(());
    wait(found.answer(&mut encoder, &how, reading, go_on)).unwrap();
    assert!(found.ids() == expected.ids());
    assert_eq!(fed, 0, "what was said is remembered");
}

/// A prompt of several chunks tells how far it is read, and may be stopped there; then it goes on behind what was read.
#[test]
fn reading_is_told_and_stopped() {
    let name = "internvl_qwen3_hf";
    let prompt: Vec<u32> = (0..700).map(|at| at % 200).collect();
    let how = Answering { most: 4, ..Answering::default() };
    for device in devices() {
        let mut encoder = wait(Encoder::load(open(name), &device, &mut on_bytes)).unwrap();
        let mut answer = |stop: usize| {
            let (mut talk, mut told) = (Talk::default(), Vec::new());
            talk.say(&encoder, &prompt, None).unwrap();
            let mut said = Vec::new();
            for _ in 0..2 {
                let reading = &mut async |done: usize, total: usize| {
                    told.push((done, total));
                    match told.len() == stop {
                        true => ControlFlow::Break(()),
                        false => ControlFlow::Continue(()),
                    }
                };
                let go_on = &mut |_: Said<'_>| ControlFlow::Continue(());
                said.push(wait(talk.answer(&mut encoder, &how, reading, go_on)).unwrap());
            }
            (said, told)
        };
        let (whole, told) = answer(0);
        assert_eq!(told, [0, 256, 512, 700].map(|done| (done, 700)), "{device:?}");
        let (said, told) = answer(2);
        assert_eq!([&said[0][..], &said[1]], [&[][..], &whole[0]], "{device:?}");
        // What was read before it was stopped is not read again.
        let expected = [(0, 700), (256, 700), (0, 444), (256, 444), (444, 444)];
        assert_eq!(told, expected, "{device:?}");
    }
}

/// Where a stop ends the looking at pictures nothing is said; they have the same visual tokens, and the question the same
/// answer, when they are looked at once more.
#[test]
fn looking_is_stopped() {
    let name = "internvl_qwen2_openvl";
    let (prompt, pixels) = (ids(name, "input.safetensors", "input_ids"), pixels(name));
    let generated = ids(name, "expected.safetensors", "generated");
    let expected = &expected(name)["visual_tokens"];
    let places = expected.shape[0] * expected.shape[1];
    let often = |id: &&u32| prompt.iter().filter(|other| other == id).count() == places;
    let picture = prompt.iter().find(often).copied();
    let how = Answering { most: generated.len(), picture, ..Answering::default() };
    for device in devices() {
        let mut encoder = wait(Encoder::load(open(name), &device, &mut on_bytes)).unwrap();
        let mut heard = 0;
        for stop in 1.. {
            let mut told = 0;
            let progress = &mut async |_: usize, _: usize| {
                told += 1;
                if told == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            match wait(encoder.visual_tokens(images(&pixels), progress)) {
                Err(internvit::Error::Cancelled) => assert_eq!(told, stop, "{device:?}"),
                found => {
                    near(&format!("{device:?}"), &found.unwrap().values, &expected.values);
                    break;
                }
            }
            heard += 1;
        }
        assert!(heard > 0, "{device:?}: no stop was heard");
        let visual = wait(encoder.visual_tokens(images(&pixels), &mut on)).unwrap();
        let mut talk = Talk::default();
        talk.say(&encoder, &prompt, Some(&visual)).unwrap();
        let go_on = &mut |_: Said<'_>| ControlFlow::Continue(());
        assert_eq!(wait(talk.answer(&mut encoder, &how, &mut on, go_on)).unwrap(), generated);
    }
}
