/// What a key takes, as help texts and the schema describe it.
package indirect enum FieldValue: Sendable {
    case flag
    case integer(ClosedRange<Int>)
    /// A quantity with a unit. Without a range, any value that the unit can express is allowed.
    case quantity(Quantity, ClosedRange<UInt64>?)
    case choice([String])
    case text(TextForm)
    case list(FieldValue)
    /// A map with these keys. `name` is what it is called if it occurs in several places.
    case map([FieldDescription], name: String? = nil)
    /// A map whose keys are names that the operator chose.
    case named(FieldValue)
    /// A map with exactly one of these keys.
    case oneOf([String], FieldValue)
    case either([FieldValue])

    /// How a value is written on a command line.
    enum Shape {
        case scalar
        /// Values with commas between them, in one word.
        case list
        case map([FieldDescription])
        /// One word, or words that are keys and values of this map.
        case scalarOrMap([FieldDescription])
    }

    var shape: Shape {
        switch self {
        case .flag, .integer, .quantity, .choice, .text, .named, .oneOf: .scalar
        case .list: .list
        case .map(let fields, _): .map(fields)
        case .either(let all):
            if fields.isEmpty { .scalar } else if all.allSatisfy({ !$0.fields.isEmpty }) { .map(fields) } else { .scalarOrMap(fields) }
        }
    }

    /// The keys of all maps that the value may be.
    var fields: [FieldDescription] {
        switch self {
        case .map(let fields, _): fields
        case .either(let all): all.flatMap(\.fields)
        default: []
        }
    }

    /// What stands for the value behind its key in a help text, such as `68-9000` or `client|server`.
    var word: String {
        switch self {
        case .flag: "on|off"
        case .integer(let range): "\(range.lowerBound)-\(range.upperBound)"
        case .quantity(let quantity, _): quantity.word
        case .choice(let words): words.joined(separator: "|")
        case .text(let form): form.word
        case .list(let item): "\(item.word),..."
        case .map(let fields, let name?) where fields.count > 5: "\(name.uppercased())-KEY VALUE ..."
        case .map(let fields, _): fields.map { $0.isRequired ? $0.label : "[\($0.label)]" }.joined(separator: " ")
        case .named(let value): "NAME: \(value.word)"
        case .oneOf(let keys, let value): keys.map { "\($0) \(value.word)" }.joined(separator: "|")
        case .either(let all): all.map(\.word).joined(separator: " | ")
        }
    }

    /// The allowed range in words, where `word` does not show it; nil: `word` shows it, or there is none.
    var bounds: String? {
        switch self {
        case .quantity(let quantity, let range?): "\(quantity.format(range.lowerBound)) to \(quantity.format(range.upperBound))"
        case .either(let all):
            if all.contains(where: { $0.bounds == nil }) { nil } else { all.compactMap(\.bounds).joined(separator: ", or ") }
        default: nil
        }
    }
}

/// A kind of text that a value may be.
package struct TextForm: Sendable {
    /// The word that stands for it in help texts.
    var word: String
    /// A regular expression (ECMA 262) that all texts of this kind match; nil: any text is one.
    package var pattern: String?
    var example: String
    /// Whether a value that YAML reads as a number is allowed as well.
    var mayBeNumber = true

    /// A name of 1 to 31 letters, digits, dots, underscores or hyphens; `Validator.checkName` checks it.
    package static let name = TextForm(word: "NAME", pattern: "^[A-Za-z0-9._-]{1,31}$", example: "vm1")
    static let path = TextForm(word: "PATH", example: "/run/sluice/vm1.sock")
    static let interface = TextForm(word: "INTERFACE", example: "tap0")
    static let namespace = TextForm(word: "NAMESPACE", example: "lab")
    static let device = TextForm(word: "DEVICE", example: "eth1")
    package static let mac = TextForm(word: "MAC", pattern: "^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$", example: "52:54:00:12:34:56", mayBeNumber: false)
    private static let ipv4Pattern = "[0-9]{1,3}(\\.[0-9]{1,3}){3}"
    private static let ip = "(\(ipv4Pattern)|[0-9A-Fa-f:.]*::[0-9A-Fa-f:.]*|([0-9A-Fa-f]{1,4}:){6,7}[0-9A-Fa-f.]+)"
    static let prefix = TextForm(word: "ADDRESS[/N]", pattern: "^\(ip)(/[0-9]+)?$", example: "10.0.0.0/24", mayBeNumber: false)
    static let address = TextForm(word: "ADDRESS", pattern: "^\(ip)$", example: "192.0.2.9", mayBeNumber: false)
    static let ipv4 = TextForm(word: "ADDRESS", pattern: "^\(ipv4Pattern)$", example: "192.0.2.9", mayBeNumber: false)
    static let `class` = TextForm(word: "CLASS", example: "vm1/iscsi")
    static let expression = TextForm(word: "EXPRESSION", example: "tcp dst port 25")
    static let vlans = TextForm(word: "ID[-ID]", pattern: "^ *[0-9]+(-[0-9]+)?(, *[0-9]+(-[0-9]+)?)*$", example: "20-29", mayBeNumber: false)
    static let match = TextForm(
        word: "MATCH", pattern: "^ *(\(["tcp", "udp", "ethertype", "dscp", "pcp"].map(\.anyCase).joined(separator: "|"))) +[0-9][0-9A-FXa-fx-]* *$",
        example: "tcp 873", mayBeNumber: false)
    static let any = TextForm(word: "TEXT", example: "text")
}

extension Quantity {
    /// The word that stands for such a quantity in help texts.
    var word: String {
        switch self {
        case .rate: "RATE"
        case .packets: "PPS"
        case .size: "SIZE"
        case .time, .delay: "TIME"
        }
    }
}

extension String {
    /// A regular expression (ECMA 262) that matches this word in any mixture of small and capital letters.
    var anyCase: String { map { "[\($0.lowercased())\($0.uppercased())]" }.joined() }
}
