import Configuration
import Packet

/// One thing that an operator has to know about an import.
public struct ImportRemark: Equatable, Sendable, CustomStringConvertible {
    public enum Kind: String, Equatable, Sendable {
        /// It was decided what something becomes that has more than one counterpart, or a slightly different one.
        case decided
        /// Something has no counterpart and is left out.
        case lost
        /// Something that the operator has to do.
        case todo
    }

    public var kind: Kind
    /// What it is about: an interface, or the bridge.
    public var subject: String
    public var sentence: String
    /// The kernel's own words.
    public var quote: String?

    public init(_ kind: Kind, _ subject: String, _ sentence: String, quote: String? = nil) {
        self.kind = kind
        self.subject = subject
        self.sentence = sentence
        self.quote = quote
    }

    public var description: String {
        let head = kind == .lost ? "\(subject): no counterpart: " : "\(subject): "
        return head + sentence + (quote.map { " [\($0)]" } ?? "")
    }
}

/// What a kernel bridge becomes: a configuration that does the same, and remarks about everything that is not the same.
public struct BridgeImport: Equatable, Sendable {
    /// What becomes of the guests' taps.
    public enum Taps: Equatable, Sendable {
        /// Each becomes a port of its own: a vhost port for a QEMU guest, which it gets at its next start.
        case ports
        /// They remain ports of the kernel's bridge, which stands behind the host's tap. Guests run on, and are told apart there by their addresses.
        case behindHost
    }

    public internal(set) var model: Model
    public internal(set) var remarks: [ImportRemark]

    /// - Parameters:
    ///   - libvirt: the taps that libvirt's status files name; nil: nobody looked.
    ///   - uplinks: the ports that lead to the wire; none: all that are neither taps nor ends of veth pairs.
    public init(_ bridge: KernelBridge, libvirt: [LibvirtTap]? = nil, taps: Taps = .ports, uplinks: [String] = []) {
        var importer = Importer(bridge, libvirt, taps, Set(uplinks))
        importer.run()
        (model, remarks) = (importer.model, importer.remarks)
    }

    /// Whether something was left out for which there is no counterpart.
    public var losesSomething: Bool { remarks.contains { $0.kind == .lost } }

    /// The configuration as YAML, with all remarks in front of it as comments.
    public var yaml: String {
        var text = ""
        func section(_ title: String, _ kind: ImportRemark.Kind) {
            let some = remarks.filter { $0.kind == kind }
            if some.isEmpty { return }
            text += "# \(title)\n"
            for remark in some { text += Self.comment("- \(remark)") }
            text += "#\n"
        }
        section("Without counterpart, and left out:", .lost)
        section("Decided:", .decided)
        section("To do:", .todo)
        return text + model.yaml
    }

    /// A text as comment lines of at most 150 characters, without characters that YAML does not have: names of the kernel's may contain some.
    private static func comment(_ text: String) -> String {
        let text = String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || 0x7f...0x9f ~= $0.value ? "?" : $0 }))
        var lines: [String] = [], line = "#"
        for word in text.split(whereSeparator: { $0.isNewline || $0 == " " }) {
            if line.utf8.count + word.utf8.count > 150, line.utf8.count > 3 {
                lines.append(line)
                line = "#  "
            }
            line += " \(word)"
        }
        return (lines + [line]).joined(separator: "\n") + "\n"
    }
}

/// An import while it is made. What it does stands in other files, by subject.
struct Importer {
    let bridge: KernelBridge
    let libvirt: [String: LibvirtTap]
    let hasLookedAtLibvirt: Bool
    let taps: BridgeImport.Taps
    let uplinks: Set<String>
    var model = Model()
    var remarks: [ImportRemark] = []
    var settings: BridgeSettings
    /// The names of Sluice's ports by those of the kernel's.
    var ports: [String: String] = [:]
    private var names: Set<String> = []
    /// The guests' places in the model, by address.
    var owners: [MACAddress: Int] = [:]

    init(_ bridge: KernelBridge, _ libvirt: [LibvirtTap]?, _ taps: BridgeImport.Taps, _ uplinks: Set<String>) {
        self.bridge = bridge
        self.taps = taps
        self.uplinks = uplinks
        self.libvirt = Dictionary((libvirt ?? []).map { ($0.device, $0) }) { first, _ in first }
        hasLookedAtLibvirt = libvirt != nil
        settings = BridgeSettings(name: bridge.name)
        settings.name = unused(bridge.name)
    }

    mutating func run() {
        importBridge()
        importPorts()
        importGuests()
        importVLANs()
        importEntries()
        importTraffic()
        importDCB()
        model.bridges = [settings]
        freeHostAddress()
        fitFloors()
        tellTheRest()
    }

    mutating func decide(_ subject: String, _ sentence: String, quote: String? = nil) { add(.decided, subject, sentence, quote) }
    mutating func lose(_ subject: String, _ sentence: String, quote: String? = nil) { add(.lost, subject, sentence, quote) }
    mutating func toDo(_ subject: String, _ sentence: String) { add(.todo, subject, sentence, nil) }

    private mutating func add(_ kind: ImportRemark.Kind, _ subject: String, _ sentence: String, _ quote: String?) {
        let remark = ImportRemark(kind, subject, sentence, quote: quote)
        if !remarks.contains(remark) { remarks.append(remark) }
    }

    /// How many groups there are from one up to the root; 0 for none.
    func depth(of group: String?) -> Int {
        var name = group, depth = 0
        while let inner = name, let found = model.groups.first(where: { $0.name == inner }), depth < 16 {
            name = found.parent
            depth += 1
        }
        return depth
    }

    /// A name that Sluice accepts and that nothing has yet, as similar as possible to the one that is wanted.
    mutating func unused(_ wanted: String) -> String {
        var name = String(decoding: wanted.utf8.prefix(Validator.longestName).map { Validator.isOfNames($0) ? $0 : UInt8(ascii: "_") }, as: UTF8.self)
        if name.isEmpty || ["none", "rest", "default"].contains(name.lowercased()) { name = "port-\(name)" }
        var result = name, number = 2
        while names.contains(result) {
            result = "\(name.prefix(Validator.longestName - 6))-\(number)"
            number += 1
        }
        names.insert(result)
        return result
    }
}
