/** The emoji of the picker with their short codes: the ones that chats live on, and no more. */

export interface EmojiGroup {
  label: string;
  emoji: readonly (readonly [code: string, emoji: string])[];
}

const group = (label: string, entries: string): EmojiGroup => ({
  label,
  emoji: entries.split(' ').map((entry) => entry.split('=') as [string, string]),
});

export const EMOJI: readonly EmojiGroup[] = [
  group(
    'Faces',
    'smile=😄 grin=😁 joy=😂 rofl=🤣 slight_smile=🙂 wink=😉 blush=😊 heart_eyes=😍 star_struck=🤩 kissing_heart=😘 yum=😋 tongue=😛 thinking=🤔 shushing=🤫 zipper=🤐 raised_eyebrow=🤨 neutral=😐 smirk=😏 eye_roll=🙄 grimacing=😬 relieved=😌 sleepy=😪 sleeping=😴 sunglasses=😎 nerd=🤓 confused=😕 worried=😟 open_mouth=😮 astonished=😲 flushed=😳 pleading=🥺 cry=😢 sob=😭 scream=😱 weary=😩 angry=😠 rage=😡 skull=💀 clown=🤡 ghost=👻 robot=🤖 partying=🥳 mind_blown=🤯 cold=🥶 hot=🥵 salute=🫡 melting=🫠',
  ),
  group(
    'Hands and hearts',
    'wave=👋 thumbsup=👍 thumbsdown=👎 ok_hand=👌 clap=👏 raised_hands=🙌 pray=🙏 handshake=🤝 muscle=💪 point_up=☝️ point_right=👉 point_left=👈 crossed_fingers=🤞 victory=✌️ fist=✊ writing=✍️ eyes=👀 brain=🧠 heart=❤️ orange_heart=🧡 yellow_heart=💛 green_heart=💚 blue_heart=💙 purple_heart=💜 black_heart=🖤 broken_heart=💔 sparkling_heart=💖 hundred=💯',
  ),
  group(
    'Things',
    'fire=🔥 sparkles=✨ star=⭐ tada=🎉 balloon=🎈 gift=🎁 trophy=🏆 medal=🏅 crown=👑 rocket=🚀 bulb=💡 bell=🔔 music=🎵 guitar=🎸 mic=🎤 game=🎮 dart=🎯 camera=📷 movie=🎬 tv=📺 computer=💻 keyboard=⌨️ wrench=🔧 hammer=🔨 coffee=☕ tea=🍵 beer=🍺 pizza=🍕 cake=🍰 popcorn=🍿 apple=🍎 rainbow=🌈 sun=☀️ moon=🌙 snowflake=❄️ zap=⚡ ocean=🌊 tree=🌳 flower=🌸 rose=🌹 cat=🐱 dog=🐶 fox=🦊 bear=🐻 panda=🐼 frog=🐸 monkey=🐵 unicorn=🦄 bug=🐛 butterfly=🦋 turtle=🐢 duck=🦆 check=✅ cross=❌ warning=⚠️ question=❓ exclamation=❗',
  ),
];

const BY_CODE = new Map(EMOJI.flatMap(({ emoji }) => emoji.map(([code, sign]) => [code, sign] as const)));

/** The emoji of ":fire:". */
export function emojiOf(code: string): string | null {
  return BY_CODE.get(code.replace(/^:|:$/g, '')) ?? null;
}

/** All of them, in the order of the picker. */
export const ALL_EMOJI: readonly (readonly [code: string, emoji: string])[] = [...BY_CODE];
