import Packet

/// What an edit of one guest or one group comes to, where nothing else changes with it but classes of that guest's port, of that group, and `rest`.
public struct LocalChange: Equatable, Sendable {
    /// What is changed in the model; one of the two.
    public var guest: GuestEdit?
    public var group: Placed<GroupSettings>?
    /// nil: the port has the same guests with the same addresses.
    public var port: PortGuests?
    public var trees: [TreeEdit] = []
    /// As `Plan.lines`; empty: nothing changes.
    public var lines: [String]

    public enum GuestEdit: Equatable, Sendable {
        case add(GuestSettings)
        case set(Placed<GuestSettings>)
        case remove(place: Int)
    }

    /// By its place in the model.
    public struct Placed<Settings: Equatable & Sendable>: Equatable, Sendable {
        public var place: Int
        public var settings: Settings
    }

    /// The guests of a port as they are after the change: names of effective guests.
    public struct PortGuests: Equatable, Sendable {
        public var port: String
        public var bridge: String
        public var all: [String]
        public var catchAll: String
        public var came: [String]
        public var gone: [String]
        /// Addresses that the port has no more, and those that are `owner`'s from now on.
        public var removed: [MACAddress]
        public var added: [MACAddress]
        public var owner: String

        public init(
            port: String, bridge: String, all: [String], catchAll: String, came: [String], gone: [String], removed: [MACAddress], added: [MACAddress],
            owner: String
        ) {
            (self.port, self.bridge, self.all, self.catchAll, self.came, self.gone) = (port, bridge, all, catchAll, came, gone)
            (self.removed, self.added, self.owner) = (removed, added, owner)
        }
    }

    /// What happens to one tree's classes. Places are those before the change.
    public struct TreeEdit: Equatable, Sendable {
        /// The tree's name, and its place among the trees.
        public var name: String
        public var tree: Int
        /// Other settings of classes that stay where they are; parents first.
        public var changed: [Item] = []
        /// Classes in place of others, from the first place to the last.
        public var splices: [Splice] = []

        public struct Item: Equatable, Sendable {
            public var place: Int
            public var settings: ClassParameters
        }
        public struct Splice: Equatable, Sendable {
            public var place: Int
            /// How many classes go there.
            public var count: Int
            /// Parents before their children.
            public var classes: [ClassDescription]
        }
        public var isEmpty: Bool { changed.isEmpty && splices.isEmpty }
    }
}

extension Model {
    public mutating func adopt(_ change: LocalChange) {
        switch change.guest {
        case .add(let settings): guests.append(settings)
        case .set(let guest): guests[guest.place] = guest.settings
        case .remove(let place): guests.remove(at: place)
        case nil: break
        }
        if let group = change.group { groups[group.place] = group.settings }
    }
}

extension TreeDescription {
    public mutating func adopt(_ edit: LocalChange.TreeEdit) {
        for item in edit.changed { classes[item.place].settings = item.settings }
        for splice in edit.splices.reversed() { classes.replaceSubrange(splice.place..<splice.place + splice.count, with: splice.classes) }
    }

    /// The classes that an edit concerns, as they are before it and after it.
    public func concerned(by edit: LocalChange.TreeEdit) -> (old: [ClassDescription], new: [ClassDescription]) {
        var old: [ClassDescription] = [], new: [ClassDescription] = []
        for item in edit.changed {
            old.append(classes[item.place])
            new.append(classes[item.place])
            new[new.count - 1].settings = item.settings
        }
        for splice in edit.splices {
            old += classes[splice.place..<splice.place + splice.count]
            new += splice.classes
        }
        return (old, new)
    }
}

extension ClassIDs {
    mutating func adopt(tree: String, old: [ClassDescription], new: [ClassDescription]) {
        for item in old { set(nil, tree: tree, path: item.path) }
        for item in new { set(item.id, tree: tree, path: item.path) }
    }
}
