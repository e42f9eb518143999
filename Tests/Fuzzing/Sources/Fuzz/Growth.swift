import Configuration
import ControlAPI
import Foundation
import Glibc
import Libvirt

/// Documents that repeat a piece many times must be read, or refused, in time that grows as their length does.
///
/// An input is a letter that says what it is (`y` YAML, `d` a domain, `n` a network, `r` a request), then what stands in front, NUL, the piece, NUL, and what
/// stands behind. In the piece, `#` stands for its number in four hexadecimal digits, so that names differ, `^` for the same with a colon in the middle, and `$` for the
/// number of the piece before.
func fuzzGrowth(_ bytes: [UInt8]) {
    let parts = bytes.dropFirst().split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
    guard let kind = bytes.first, parts.count == 3, !parts[1].isEmpty, parts[1].count <= 200 else { return }
    func seconds(_ count: Int) -> Double {
        var document = Array(parts[0])
        for number in 0..<count {
            for byte in parts[1] {
                switch byte {
                case UInt8(ascii: "#"): document += digits(number)
                case UInt8(ascii: "$"): document += digits(max(number - 1, 0))
                case UInt8(ascii: "^"): document += digits(number)[..<2] + [UInt8(ascii: ":")] + digits(number)[2...]
                default: document.append(byte)
                }
            }
        }
        document += parts[2]
        let began = now()
        read(kind, document)
        return now() - began
    }
    // The first time includes what is made once.
    let once = min(seconds(few), seconds(few))
    let many = seconds(most)
    // Sanitizers make everything several times slower. A square of the number would take 16 times as long as this allows.
    claim(many < 0.5 || many < once * Double(most / few) * 4, "\(most) of a piece take about \(most / few) times as long as \(few): \(many) s, and \(once) s")
}

private let few = 64, most = 4_096

private func read(_ kind: UInt8, _ document: [UInt8]) {
    switch kind {
    case UInt8(ascii: "y"): if let text = String(validating: document, as: UTF8.self) { _ = try? Model.checked(yaml: text) }
    case UInt8(ascii: "d"): if let domain = try? LibvirtDomain(xml: document) { _ = try? LibvirtConfiguration(domain, in: Model(), bridge: "br0") }
    case UInt8(ascii: "n"): _ = try? LibvirtNetwork(xml: document)
    case UInt8(ascii: "r"):
        for case .success(let request) in RequestLine(Data(document)).requests.prefix(1) {
            _ = try? request.params(EditParams.self)
            if let verb = Verb(request.method), let words = try? verb.words(request) { _ = try? Model().edited(verb.object.rawValue, verb.verb.rawValue, words) }
        }
    default: break
    }
}

private func digits(_ number: Int) -> [UInt8] { Array(String(number + 0x1_0000, radix: 16).utf8.dropFirst()) }

/// The processor time of this thread, in seconds.
private func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
