import Glibc

/// What inputs are given to. The environment variable `SLUICE_FUZZ` names the one of this run.
enum Target: String, CaseIterable {
    case requests, documents, edits, domains, states, groups, discovery, logins, frames, filters, growth, messages, rings

    static let current: Target = {
        guard let name = getenv("SLUICE_FUZZ").map({ String(cString: $0) }), let target = Target(rawValue: name) else {
            print("SLUICE_FUZZ has to be one of \(allCases.map(\.rawValue).joined(separator: ", "))")
            exit(2)
        }
        return target
    }()

    func run(_ bytes: [UInt8]) {
        switch self {
        case .requests: fuzzRequests(bytes)
        case .documents: fuzzDocument(bytes)
        case .edits: fuzzEdits(bytes)
        case .domains: fuzzDomain(bytes)
        case .states: fuzzState(bytes)
        case .groups: fuzzGroups(bytes)
        case .discovery: fuzzDiscovery(bytes)
        case .logins: fuzzLogins(bytes)
        case .frames: fuzzFrames(bytes)
        case .filters: fuzzFilters(bytes)
        case .growth: fuzzGrowth(bytes)
        case .messages: fuzzMessages(bytes)
        case .rings: fuzzRings(bytes)
        }
    }
}

@main
enum Fuzz {
    /// Has libFuzzer call the target with inputs. With `SLUICE_FUZZ_WORDS`, prints the words that inputs are made of as a dictionary instead.
    static func main() {
        _ = Target.current
        if getenv("SLUICE_FUZZ_WORDS") != nil {
            for word in Words.all {
                let text = word.utf8.map { byte in (0x20..<0x7f).contains(byte) && byte != 0x22 && byte != 0x5c ? String(UnicodeScalar(byte)) : "\\x\(hex(byte))" }
                print("\"\(text.joined())\"")
            }
            return
        }
        var (count, words) = (CommandLine.argc, CommandLine.unsafeArgv)
        exit(runDriver(&count, &words) { bytes, count in
            Target.current.run(decoded(UnsafeBufferPointer(start: bytes, count: count)))
            return 0
        })
    }
}

/// libFuzzer's own main function.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _: UnsafeMutablePointer<CInt>, _: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>, _: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// Ends the run, with the sentence that does not hold, if `holds` is false.
func claim(_ holds: Bool, _ sentence: @autoclosure () -> String) {
    if holds { return }
    let text = "\nThis does not hold: \(sentence())\n"
    _ = write(STDERR_FILENO, text, text.utf8.count)
    abort()
}

/// Inputs are text, so that the kept ones can be read: `%` and two hexadecimal digits stand for any byte.
private func decoded(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    var place = 0
    while place < text.count {
        if text[place] == UInt8(ascii: "%"), place + 2 < text.count, let high = digit(text[place + 1]), let low = digit(text[place + 2]) {
            result.append(high << 4 | low)
            place += 3
        } else {
            result.append(text[place])
            place += 1
        }
    }
    return result
}

/// The bytes that hexadecimal digits stand for; everything else between them is skipped.
func octets(hex text: some Sequence<UInt8>) -> [UInt8] {
    let digits = text.compactMap(digit)
    return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

private func hex(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }

private func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}
