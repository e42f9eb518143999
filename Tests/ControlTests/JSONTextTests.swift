import ControlAPI
import Foundation
import TestSupport
import Testing

@Suite struct JSONTextTests {
    private func flaw(_ text: String) -> String? {
        do throws(JSONText.Flaw) {
            try JSONText.check(Data(text.utf8))
            return nil
        } catch {
            return error.description
        }
    }

    @Test(arguments: [
        "0", "-0", "12.5e-3", "1E+9", "true", "false", "null", "\"\"", "[]", "{}", " [ 1 , { \"a\" : [ ] } ] \r\n\t", #""\u00e9\ud83d\ude00\"\\\/\b\f\n\r\t""#,
        "\"\u{1F600}\"", #"{"a":1,"a":2}"#,
    ])
    func whatIsJSON(_ text: String) { #expect(flaw(text) == nil) }

    @Test(arguments: [
        ("", "it ends too early"), ("[1", "it ends too early"), ("{\"a\"", "':' is missing at byte 5"), ("[1 2]", "',' or ']' is missing at byte 4"),
        ("{1:2}", "a key in double quotes is missing at byte 2"), ("{\"a\":1,}", "a key in double quotes is missing at byte 8"),
        ("[1,]", "a value is missing at byte 4"), ("nul", "a value is missing at byte 1"), ("[]]", "something stands behind its end at byte 3"),
        ("01", "something stands behind its end at byte 2"), ("-", "a digit is missing at byte 2"), ("1.", "a digit is missing at byte 3"), ("1e", "a digit is missing at byte 3"),
        ("\"a", "the string that begins at byte 1 has no end"), ("\"\n\"", "a control character must be written as \\u at byte 2"), (#""\x""#, "there is no such escape at byte 3"),
        (#""\u12g4""#, "\\u takes four hexadecimal digits at byte 6"), (#""\ud800""#, "half a character stands alone at byte 8"), (#""\udc00""#, "half a character stands alone at byte 8"),
        (#""\ud800\u0041""#, "half a character stands alone at byte 14"), ("\u{feff}1", "a value is missing at byte 1"),
    ])
    func whatIsNot(_ text: String, _ why: String) { #expect(flaw(text) == why) }

    @Test func textThatIsNotUTF8() {
        #expect { try JSONText.check(Data([0x22, 0xc3, 0x28, 0x22])) } throws: { "\($0)" == "it is not UTF-8" }
    }

    /// Foundation's parser must accept every text that passes the check.
    @Test func whatPassesIsRead() throws {
        var random = Seeded(12)
        let pieces = [
            "[", "]", "{", "}", ",", ":", "\"a\"", "1", "-", "0", ".5", "e9", "true", "null", " ", "\"\\u00e9\"", "\"\\ud83d\\ude00\"", "\"\\ud83d\"", "\\", "\"", "\u{e9}", "\n",
        ]
        var good = 0
        for _ in 0..<30_000 {
            let text = (0..<Int.random(in: 1...9, using: &random)).map { _ in pieces.randomElement(using: &random)! }.joined()
            guard flaw(text) == nil else { continue }
            good += 1
            #expect(throws: Never.self, "\(text)") { try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)) }
        }
        #expect(good > 1_000)
    }
}
