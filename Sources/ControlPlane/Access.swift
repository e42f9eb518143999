import ControlAPI
import Foundation

/// Who may do what over the control socket: root and the daemon's own user everything; the members of one group look and change, those of another only look.
package struct Access: Sendable {
    /// A group of the system.
    package struct Group: Equatable, Sendable {
        package var name: String
        package var id: gid_t

        package init(name: String, id: gid_t) { (self.name, self.id) = (name, id) }
    }

    /// The names of the groups that are used if they exist.
    package static let standardView = "sluice", standardChange = "sluice-admin"

    /// The names, for sentences, and the groups; nil: there is no such group.
    private let viewName: String
    private let changeName: String
    package let view: Group?
    package let change: Group?
    private let owner: uid_t

    /// - Parameters:
    ///   - viewGroup, changeGroup: the name or number of a group; nil: the standard one, if it exists.
    ///   - owner: the daemon's own user.
    /// - Throws: a sentence if a group that was named does not exist.
    package init(viewGroup: String? = nil, changeGroup: String? = nil, owner: uid_t = geteuid()) throws(ControlSocketError) {
        view = try Self.find(viewGroup, Self.standardView)
        change = try Self.find(changeGroup, Self.standardChange)
        (viewName, changeName) = (viewGroup ?? Self.standardView, changeGroup ?? Self.standardChange)
        self.owner = owner
    }

    private static func find(_ name: String?, _ standard: String) throws(ControlSocketError) -> Group? {
        var entry = group(), found: UnsafeMutablePointer<group>?
        var buffer = [CChar](repeating: 0, count: 1 << 20)
        let isThere = getgrnam_r(name ?? standard, &entry, &buffer, buffer.count, &found) == 0 && found != nil
        guard let name else { return isThere && mayGive(entry.gr_gid) ? Group(name: standard, id: entry.gr_gid) : nil }
        if isThere { return Group(name: name, id: entry.gr_gid) }
        guard let id = gid_t(name) else { throw ControlSocketError("there is no group '\(name)': make it with `groupadd --system \(name)`, or name another one") }
        return Group(name: name, id: id)
    }

    /// Whether this process may give its files to a group. Without it, a trial by an ordinary user must not fail.
    private static func mayGive(_ id: gid_t) -> Bool {
        if geteuid() == 0 || getegid() == id { return true }
        var groups = [gid_t](repeating: 0, count: max(0, Int(getgroups(0, nil))))
        return groups.prefix(max(0, Int(getgroups(CInt(groups.count), &groups)))).contains(id)
    }

    /// Why a process may not use a method; nil: it may.
    /// - Parameter peer: the process; nil: the kernel does not say who it is.
    package func refusal(_ method: String, _ effect: MethodEffect, to peer: Peer?) -> RPCError? {
        let changes = effect == .changes
        let groups = peer?.groups ?? []
        if let peer, peer.uid == 0 || peer.uid == owner { return nil }
        if let change, groups.contains(change.id) { return nil }
        if !changes, let view, groups.contains(view.id) { return nil }
        let allowed = changes ? "members of the group \(changeName)" : "members of the groups \(viewName) and \(changeName)"
        let absent = (changes ? change : change ?? view) == nil ? ", which this host does not have" : ""
        return RPCError(RPCError.forbidden, "\(method) is for root and \(allowed)\(absent): join one, or use sudo")
    }

    // MARK: The socket

    /// Lets the members of both groups connect to a socket in the file system, which nobody listens on yet.
    /// - Throws: a sentence if that is not possible for a group.
    func open(_ path: String) throws(ControlSocketError) {
        let groups = [view, change].compactMap { $0 }
        guard let first = groups.first else { return }
        guard chown(path, uid_t.max, first.id) == 0 else { throw failure(path, first) }
        // A file has one group. The other one needs an entry in its access control list (acl(5)).
        guard let second = groups.dropFirst().first, second.id != first.id else { return }
        // sys/xattr.h is not in Swift's module map of Glibc.
        typealias SetAttribute = @convention(c) (UnsafePointer<CChar>, UnsafePointer<CChar>, UnsafeRawPointer?, Int, CInt) -> CInt
        guard let symbol = dlsym(nil, "setxattr") else { throw failure(path, second) }
        let setAttribute = unsafeBitCast(symbol, to: SetAttribute.self)
        guard Self.list(group: second.id).withUnsafeBytes({ setAttribute(path, "system.posix_acl_access", $0.baseAddress, $0.count, 0) }) == 0 else {
            throw failure(path, second)
        }
    }

    private func failure(_ path: String, _ group: Group) -> ControlSocketError {
        ControlSocketError("\(path) cannot be opened to the group \(group.name): \(String(cString: strerror(errno)))")
    }

    /// An access control list in the kernel's format (linux/posix_acl_xattr.h): the owner, the file's group and one other group may read and write.
    private static func list(group: gid_t) -> [UInt8] {
        func bytes(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
        let none = UInt32.max
        let entries: [(tag: UInt16, permissions: UInt16, id: UInt32)] = [
            (0x01, 6, none), (0x04, 6, none), (0x08, 6, group), (0x10, 6, none), (0x20, 0, none),
        ]
        return entries.reduce(into: bytes(UInt32(2))) { $0 += bytes($1.tag) + bytes($1.permissions) + bytes($1.id) }
    }
}
