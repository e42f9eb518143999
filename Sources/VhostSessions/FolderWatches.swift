import Glibc

/// Tells when sockets appear (inotify(7)). The folder of a socket need not exist yet: the nearest one above it that does is watched then.
struct FolderWatches {
    /// nil: this process may have no more of these; ports then look once a second.
    let descriptor: Int32?
    /// By the number of a watch, the ports that wait for something of this name in the folder.
    private var waiting: [Int32: [String: Set<Int>]] = [:]
    private var place: [Int: Place] = [:]

    private struct Place: Equatable {
        let watch: Int32
        let name: String
    }

    private static let events = UInt32(IN_CREATE) | UInt32(IN_MOVED_TO) | UInt32(IN_ATTRIB) | UInt32(IN_DELETE_SELF) | UInt32(IN_MOVE_SELF) | UInt32(IN_ONLYDIR)

    init() {
        let made = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        descriptor = made < 0 ? nil : made
    }

    func end() { if let descriptor { close(descriptor) } }

    /// Watches for whatever brings a socket nearer to being there. To be called before looking for the socket itself.
    mutating func watch(_ path: String, port: Int) {
        let found = nearest(path)
        if place[port] == found { return }
        // The new watch may be the old one with another name.
        if let found {
            waiting[found.watch, default: [:]][found.name, default: []].insert(port)
        }
        unwatch(port)
        place[port] = found
    }

    private mutating func nearest(_ path: String) -> Place? {
        guard let descriptor else { return nil }
        var (folder, name) = Self.split(path)
        // Folders may come and go between two looks: this gives up after some, and the port looks again after a second.
        for _ in 0..<64 {
            let number = inotify_add_watch(descriptor, folder, Self.events)
            if number >= 0 {
                // The folder below may have been made before this one was watched.
                let below = folder == "/" ? "/" + name : folder + "/" + name
                if (folder, name) == Self.split(path) || access(below, F_OK) != 0 { return Place(watch: number, name: name) }
                if waiting[number] == nil { inotify_rm_watch(descriptor, number) }
                (folder, name) = Self.split(path)
            } else {
                if folder == "/" || folder == "." { return nil }
                (folder, name) = Self.split(folder)
            }
        }
        return nil
    }

    mutating func unwatch(_ port: Int) {
        guard let descriptor, let old = place.removeValue(forKey: port) else { return }
        waiting[old.watch]?[old.name]?.remove(port)
        if waiting[old.watch]?[old.name]?.isEmpty ?? false { waiting[old.watch]?[old.name] = nil }
        if waiting[old.watch]?.isEmpty ?? false {
            waiting[old.watch] = nil
            inotify_rm_watch(descriptor, old.watch)
        }
    }

    /// Reads what has happened.
    /// - Returns: the ports for which it is worth to look again.
    mutating func read() -> Set<Int> {
        guard let descriptor else { return [] }
        var ports: Set<Int> = []
        var buffer = [UInt8](repeating: 0, count: 16384)
        // What is left is read in the next turn.
        let count = uninterrupted { Glibc.read(descriptor, &buffer, buffer.count) }
        var start = 0
        let header = MemoryLayout<inotify_event>.size
        while count - start >= header {
            let event = buffer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: start, as: inotify_event.self) }
            let end = min(count, start + header + Int(event.len))
            let name = String(decoding: buffer[start + header..<end].prefix { $0 != 0 }, as: UTF8.self)
            start = end
            if event.mask & UInt32(IN_Q_OVERFLOW) != 0 { ports.formUnion(place.keys) }
            if let waiting = waiting[event.wd] {
                // What has no name is about the folder itself.
                for (expected, of) in waiting where name.isEmpty || name == expected { ports.formUnion(of) }
            }
            if event.mask & UInt32(IN_IGNORED) != 0, let gone = waiting.removeValue(forKey: event.wd) {
                for port in gone.values.joined() { place[port] = nil }
            }
        }
        return ports
    }

    /// A path's folder, and its name there.
    private static func split(_ path: String) -> (folder: String, name: String) {
        var path = Substring(path)
        while path.utf8.count > 1, path.hasSuffix("/") { path = path.dropLast() }
        guard let cut = path.lastIndex(of: "/") else { return (".", String(path)) }
        let folder = path[..<cut], name = path[path.index(after: cut)...]
        return (folder.isEmpty ? "/" : String(folder), String(name))
    }
}
