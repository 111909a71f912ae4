//! Reading frontend messages.

pub(super) fn text_at(body: &[u8], at: &mut usize) -> String {
    let end = *at + body[*at..].iter().position(|byte| *byte == 0).unwrap();
    let text = String::from_utf8(body[*at..end].to_vec()).unwrap();
    *at = end + 1;
    text
}

pub(super) fn u16_at(body: &[u8], at: &mut usize) -> u16 {
    *at += 2;
    u16::from_be_bytes(body[*at - 2..*at].try_into().unwrap())
}

pub(super) fn u32_at(body: &[u8], at: &mut usize) -> u32 {
    *at += 4;
    u32::from_be_bytes(body[*at - 4..*at].try_into().unwrap())
}
