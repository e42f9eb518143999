/// Who may connect to the socket that a vhost port of mode `server` makes.
public struct SocketAccess: Equatable, Sendable {
    /// nil: the daemon's user and group.
    public var owner: SocketOwner?
    /// nil: what the daemon's umask leaves, by which only the owner may connect.
    public var mode: SocketMode?
    public init() {}
}

/// A user and perhaps a group, each a name or a number. Whether this host knows them shows when the socket is made.
public struct SocketOwner: Equatable, Sendable, CustomStringConvertible {
    public var user: String
    /// nil: the user's own group.
    public var group: String?
    public init(user: String, group: String? = nil) { self.user = user; self.group = group }

    /// - Parameter text: `USER` or `USER:GROUP`, as chown(1) takes them; nil if it is neither.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty && !$0.contains(where: \.isWhitespace) }) else { return nil }
        self.init(user: String(parts[0]), group: parts.count == 2 ? String(parts[1]) : nil)
    }

    public var description: String { group.map { "\(user):\($0)" } ?? user }
}

/// Permissions of a socket's file, as chmod(2) takes them: 0 to 0o777.
public struct SocketMode: Equatable, Sendable, CustomStringConvertible {
    public var bits: UInt16
    public init(bits: UInt16) { self.bits = bits }

    /// - Parameter text: three octal digits, perhaps with a zero before them; nil if it is anything else.
    public init?(_ text: String) {
        let digits = text.hasPrefix("0") && text.utf8.count == 4 ? text.dropFirst() : text[...]
        guard digits.utf8.count == 3, digits.utf8.allSatisfy({ (0x30...0x37).contains($0) }), let bits = UInt16(digits, radix: 8) else { return nil }
        self.init(bits: bits)
    }

    public var description: String {
        let digits = String(bits, radix: 8)
        return String(repeating: "0", count: max(4 - digits.utf8.count, 0)) + digits
    }
}

extension Field<PortDraft> {
    static var access: [Field] {
        let only = "with mode client QEMU makes the socket, and its user owns it"
        return [
            .optional("socket-owner", \.access.owner, .socketOwner, help: "mode server: who owns the socket, such as libvirt-qemu:kvm; by default root").of(.vhost, elsewhere: only),
            .optional("socket-mode", \.access.mode, .socketMode, help: "mode server: the socket's permissions, such as 0660; by default only its owner may connect")
                .of(.vhost, elsewhere: only),
        ]
    }
}

extension ValueKind<SocketOwner> {
    fileprivate static var socketOwner: Self {
        ValueKind(
            takes: .text(TextForm(word: "USER[:GROUP]", pattern: "^[^:\\s]+(:[^:\\s]+)?$", example: "libvirt-qemu:kvm")),
            read: { element, problems in
                guard let text = problems.text(element, example: "a user such as libvirt-qemu") else { return nil }
                if let owner = SocketOwner(text) { return owner }
                problems.add(element, "'\(text)' is no owner: write a user, or a user and a group such as libvirt-qemu:kvm")
                return nil
            },
            write: { .text($0.description) },
            fault: { SocketOwner($0.description) == $0 ? nil : "'\($0)' is no owner: write a user, or a user and a group such as libvirt-qemu:kvm" })
    }
}

extension ValueKind<SocketMode> {
    fileprivate static var socketMode: Self {
        ValueKind(
            takes: .text(TextForm(word: "MODE", pattern: "^0?[0-7]{3}$", example: "0660")),
            read: { element, problems in
                guard let text = problems.text(element, example: "permissions such as 0660") else { return nil }
                if let mode = SocketMode(text) { return mode }
                problems.add(element, "'\(text)' are no permissions: write three octal digits, such as 0660")
                return nil
            },
            write: { .text($0.description) },
            fault: { $0.bits <= 0o777 ? nil : "\($0) are no permissions of a socket: write 0000 to 0777, such as 0660" })
    }
}
