// The pages of the hub that all-pages.spec.ts goes through. A page is added by its
// line here.

/** One page of the hub. */
export interface Route {
  /** What its pictures are called. */
  name: string
  path: string
  /** It is looked at in German, too. */
  german?: boolean
}

export const routes: readonly Route[] = [
  { name: 'calls', path: '/mqtt/dashboard', german: true },
  { name: 'devices', path: '/mqtt/devices' },
  { name: 'devices-table', path: '/mqtt/devices?view=table' },
  { name: 'device', path: '/mqtt/devices/sns-walk' },
  { name: 'add', path: '/mqtt/devices/provision' },
  { name: 'labels', path: '/mqtt/devices/provision/labels' },
  { name: 'people', path: '/mqtt/people' },
  { name: 'security', path: '/mqtt/security' },
  { name: 'certificates', path: '/mqtt/security/certificates' },
  { name: 'profiles', path: '/mqtt/security/acl' },
  { name: 'profile', path: '/mqtt/security/acl?profile=button' },
  { name: 'rules-new', path: '/mqtt/security/acl?add=acl' },
  { name: 'rules-test', path: '/mqtt/security/acl?tab=test' },
  { name: 'audit', path: '/mqtt/audit' },
  { name: 'traffic', path: '/mqtt/traffic' },
  { name: 'analytics', path: '/mqtt/traffic/analytics' },
  { name: 'uplink', path: '/mqtt/uplink' },
  { name: 'trust', path: '/mqtt/trust', german: true },
  { name: 'alerts', path: '/mqtt/alerts', german: true },
  { name: 'settings', path: '/mqtt/settings', german: true },
  { name: 'settings-calls', path: '/mqtt/settings?tab=calls', german: true },
  { name: 'settings-notifications', path: '/mqtt/settings?tab=notifications', german: true },
  { name: 'settings-storage', path: '/mqtt/settings?tab=storage', german: true },
  { name: 'about', path: '/mqtt/about', german: true },
  { name: 'jobs', path: '/mqtt/jobs', german: true },
  { name: 'rooms', path: '/mqtt/rooms', german: true },
  { name: 'duty', path: '/mqtt/duty', german: true },
  { name: 'duty-week', path: '/mqtt/duty?tab=week' },
  { name: 'duty-crew', path: '/mqtt/duty?tab=crew' },
  { name: 'response-times', path: '/mqtt/requests/statistics', german: true },
  { name: 'walk', path: '/mqtt/walk', german: true },
  { name: 'welcome', path: '/mqtt/welcome' },
]
